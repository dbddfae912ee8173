"""What of a namespace the watcher sees and OVIM did not make: read from the observed cache, no look at the cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from clusters import sql

# In no inventory by its uid. While a uid is not recorded yet, our claim's token tells: we are just making it. Without that
# our apply does: its row says what is to be decided about it.
_SEEN = """
SELECT o.kind, o.name, o.uid, o.controller_uid, o.body::text, EXISTS (
  SELECT 1 FROM clusters_inventoryitem i WHERE i.cluster_id = o.cluster_id AND i."group" = o."group"
    AND i.kind = o.kind AND i.namespace = o.namespace AND i.name = o.name AND i.tombstoned_at IS NULL
    AND (i.uid = o.uid OR (i.uid IS NULL AND (o.owned_hash <> ''
      OR o.body #>> '{metadata,annotations,ovim.io/claim}' = i.claim_token::text))))
FROM clusters_observedobject o
WHERE o.cluster_id = %(cluster)s::uuid AND (o."group", o.kind) IN (SELECT * FROM unnest(%(groups)s::text[], %(kinds)s::text[]))
  AND o.namespace = %(namespace)s
ORDER BY o.kind, o.name
"""


@dataclass(frozen=True)
class Seen:
    """An object of a namespace as the cache has it. `ours`: it is in the inventory itself, by its uid."""

    kind: str
    name: str
    uid: UUID
    controller: UUID | None
    body: Mapping[str, Any]
    ours: bool


def in_namespace(cluster_id: UUID, namespace: str, kinds: Mapping[str, str]) -> list[Seen]:
    """Objects of these kinds (kind → group), ours and others'."""
    found = sql.run(
        _SEEN,
        {"cluster": cluster_id, "namespace": namespace, "groups": list(kinds.values()), "kinds": list(kinds)},
        prepare=False,
    )
    return [Seen(kind, name, uid, above, orjson.loads(body), ours) for kind, name, uid, above, body, ours in found]
