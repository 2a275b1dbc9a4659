"""Addresses below the base: what a GET of each answers inside a batch, and pages with the address of the next."""

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import PermissionMissing
from records.fhir import answers, capability, finding, parameters, summary
from records.fhir.catalogue import KINDS, OF_A_PERSON, Kind
from records.fhir.presenting import Resource
from records.fhir.refusals import FhirInteractionUnsupported, FhirResourceNotFound

Given = list[tuple[str, str]]

_ADDRESS = re.compile(
    r"(?P<type>[A-Za-z]+)(/(?P<id>[A-Za-z0-9.-]{1,64}))?"
    r"(/(?P<act>_history|\$everything|\$summary)(/(?P<version>[^/]+))?)?(\?(?P<query>.*))?"
)


def read_address(session: Session, actor: Actor, url: str, *, base_url: str) -> Resource:
    """What a GET of this address, below the base, would have answered.

    :raises FhirInteractionUnsupported: nothing is read there.
    :raises PermissionMissing: the token may not read this type.
    :raises FhirResourceNotFound: none such that the actor may see.
    """
    if url == "metadata":
        return capability.describe_server(base_url)
    found = _ADDRESS.fullmatch(url)
    kind = KINDS.get(found["type"]) if found else None
    if found is None or kind is None:
        raise FhirInteractionUnsupported
    act, resource_id = found["act"], found["id"]
    read = _ACTS.get((bool(resource_id), act))
    is_on_person = act in {"$everything", "$summary"}
    fits = not (is_on_person and kind.name != "Patient") and not (act == "_history" and not kind.is_versioned)
    # What is asked for by its id alone has no parameters.
    has_query = found["query"] is not None and act != "$everything" and resource_id
    if read is None or not fits or has_query or (found["version"] and act != "_history"):
        raise FhirInteractionUnsupported
    if not actor.can(kind.permission if resource_id else kind.search_permission):
        raise PermissionMissing
    given = parse_qsl(found["query"] or "", keep_blank_values=True)
    return read(session, actor, kind, _Asked(found, given, base_url, f"{base_url}/fhir/{url}"))


def read_everything(session: Session, actor: Actor, person_id: str, given: Given) -> finding.Found:
    """A page of a person's record: what the actor's scopes allow of it; raises as ``collect_everything`` does.

    :raises FhirSearchUnsupported: a parameter that is not understood.
    """
    search, types = parameters.read_everything(KINDS["Patient"], given)
    wanted = OF_A_PERSON if types is None else [name for name in OF_A_PERSON if name in types]
    allowed = [name for name in wanted if actor.can(KINDS[name].search_permission)]
    with_person = types is None or "Patient" in types
    return finding.collect_everything(session, actor, person_id, allowed, search, with_person=with_person)


def read_summary(session: Session, actor: Actor, person_id: str, *, base_url: str) -> Resource:
    """The summary of a person: what the actor's scopes allow of it; raises as ``compose_summary`` does."""
    allowed = {name for name in OF_A_PERSON if actor.can(KINDS[name].search_permission)}
    return summary.compose_summary(session, actor, person_id, allowed, base_url=base_url)


def compose_page(found: finding.Found, path: str, *, base_url: str, url: str, given: Given) -> Resource:
    """A page of a search, and where the next one is.

    :param path: what was searched, below the base; ``url``: the whole address that was asked.
    :param given: the parameters; the next page's name persons by our ids, not by their identifiers.
    """
    links = {"self": url}
    if found.following is not None:
        kept = [(name, value) for name, value in given if name != "_cursor" and not parameters.is_chained(name)]
        kept += [("patient", named) for named in found.named]
        query = urlencode([*kept, ("_cursor", parameters.write_cursor(found.following))])
        links["next"] = f"{base_url}/fhir/{path}?{query}"
    return answers.compose_bundle(
        "searchset", base_url, found.matches, included=found.included, links=links, total=found.total
    )


class _Asked:
    """An address taken apart."""

    def __init__(self, found: re.Match[str], given: Given, base_url: str, url: str) -> None:
        self.id, self.version = found["id"] or "", found["version"]
        self.given, self.base_url, self.url = given, base_url, url


def _get(session: Session, actor: Actor, kind: Kind, asked: _Asked) -> Resource:
    return finding.get_resource(session, actor, kind, asked.id)


def _search(session: Session, actor: Actor, kind: Kind, asked: _Asked) -> Resource:
    found = finding.search_resources(session, actor, kind, parameters.read_search(kind, asked.given))
    return compose_page(found, kind.name, base_url=asked.base_url, url=asked.url, given=asked.given)


def _list_versions(session: Session, actor: Actor, kind: Kind, asked: _Asked) -> Resource:
    if asked.version is None:
        versions = finding.list_history(session, actor, kind, asked.id)
        return answers.compose_bundle("history", asked.base_url, versions, links={"self": asked.url})
    if not re.fullmatch("[0-9]{1,9}", asked.version):
        raise FhirResourceNotFound
    return finding.get_resource(session, actor, kind, asked.id, version=int(asked.version))


def _collect(session: Session, actor: Actor, _kind: Kind, asked: _Asked) -> Resource:
    found = read_everything(session, actor, asked.id, asked.given)
    path = f"Patient/{asked.id}/$everything"
    return compose_page(found, path, base_url=asked.base_url, url=asked.url, given=asked.given)


def _summarise(session: Session, actor: Actor, _kind: Kind, asked: _Asked) -> Resource:
    return read_summary(session, actor, asked.id, base_url=asked.base_url)


_Read = Callable[[Session, Actor, Kind, _Asked], Resource]
# By whether an id is named, and what is asked of it.
_ACTS: dict[tuple[bool, str | None], _Read] = {
    (True, None): _get,
    (False, None): _search,
    (True, "_history"): _list_versions,
    (True, "$everything"): _collect,
    (True, "$summary"): _summarise,
}
