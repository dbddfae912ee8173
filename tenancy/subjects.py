"""By which names a cluster knows people: as its API server makes them of their tokens. Pure."""

from dataclasses import dataclass

# Names of Kubernetes' own. A binding to one of them would be to whoever that is, in the extreme to everybody.
KUBERNETES_OWN = "system:"


@dataclass(frozen=True)
class Naming:
    """How a cluster's API server is set up (`clusters.fleet.NAMING`). `claim`: username, email or subject."""

    claim: str
    username_prefix: str = ""
    groups_prefix: str = ""
    issuer: str = ""
    groups: bool = False


@dataclass(frozen=True)
class Person:
    """Who somebody is, in OVIM and at identity providers: (issuer, subject) of each link."""

    name: str
    email: str = ""
    identities: tuple[tuple[str, str], ...] = ()


class Nameless(Exception):
    """Why the cluster can't know somebody."""


def names_of(person: Person, naming: Naming) -> list[str]:
    """The names of a person there, several where he is linked several times; Nameless if there is none.

    Without a prefix of its own, kube-apiserver puts `<issuer>#` in front of subjects.
    """
    if naming.claim == "subject":
        links = [link for link in person.identities if not naming.issuer or link[0] == naming.issuer]
        if not links:
            raise Nameless("is not known from the identity provider yet")
        return [_name(naming.username_prefix or f"{issuer}#", subject) for issuer, subject in sorted(links)]
    if naming.claim == "email":
        if not person.email:
            raise Nameless("has no e-mail address")
        return [_name(naming.username_prefix, person.email)]
    return [_name(naming.username_prefix, person.name)]


def group_names(external: str, naming: Naming) -> list[str]:
    """The name of a group there, by what the identity provider calls it."""
    return [_name(naming.groups_prefix, external)]


def _name(prefix: str, name: str) -> str:
    found = f"{prefix}{name}"
    if found.startswith(KUBERNETES_OWN):
        raise Nameless(f"would be {found}, which is a name of Kubernetes’ own")
    return found
