"""A notebook becomes a namespace, a note in it becomes ConfigMaps and a Secret: no behaviour but the engine's."""

import uuid

from django.db import models

from clusters.models import Cluster, Reconciled, unsettled


class Notebook(Reconciled):
    cluster = models.ForeignKey(Cluster, on_delete=models.PROTECT)
    tenant = models.UUIDField(default=uuid.uuid4)
    name = models.CharField(max_length=63)

    class Meta:
        indexes = [unsettled("notebook_unsettled")]

    def cluster_pk(self) -> uuid.UUID:
        return self.cluster_id

    def tenant_pk(self) -> uuid.UUID:
        return self.tenant


class Note(Reconciled):
    notebook = models.ForeignKey(Notebook, on_delete=models.PROTECT)
    name = models.CharField(max_length=63)
    text = models.TextField(default="")
    parts = models.IntegerField(default=2)
    quota = models.BooleanField(default=False)
    seen_text = models.TextField(default="")

    class Meta:
        indexes = [unsettled("note_unsettled")]

    def cluster_pk(self) -> uuid.UUID:
        return self.notebook.cluster_id

    def tenant_pk(self) -> uuid.UUID:
        return self.notebook.tenant
