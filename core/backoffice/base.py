"""What every model's admin pages are: read-only forms with verbs (ADR 10).

No row is edited here behind the services' back: there is no add, change or delete form. What a system admin does, he does
by a verb, which calls the service that the API and the portal call, is confirmed, audited, and answers for each row.
What people want of their rows (names, sizes, roles) is changed in the portal and the API.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db.models import Field, JSONField, Model, Q, QuerySet
from django.forms import ModelForm, modelform_factory
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from core import access
from core.backoffice import show
from core.backoffice.paging import BoundedPaginator
from core.backoffice.site import actor_of
from core.errors import DomainError, NotFound

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

MOST = 200  # rows that one order may be for
# Columns that hold another row's id → the column with its kind, or "=kind".
POINTERS: Mapping[str, str] = {
    "actor_id": "=user",
    "data_of_id": "data_of_kind",
    "disk_id": "=disk",
    "object_id": "kind",
    "organization_id": "=organization",
    "owner_id": "owner_kind",
    "parked_on_id": "parked_on_kind",
    "session_id": "=session",
    "tenant": "=organization",
    "tenant_id": "=organization",
    "user_id": "=user",
    "vdc_id": "=vdc",
    "vm_id": "=vm",
}
ENGINE = (
    "phase", "conditions", "generation", "observed_generation", "power_generation", "power_applied_generation",
    "ready_at", "deletion_requested_at", "suspended_at", "suspended_because", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True)
class Verb:
    """An order on rows: `run(actor=…, row=…, reason=…)` calls a service and answers what came of it in a sentence.

    `explains` stands on the page that asks for confirmation, with a field for a reason where `asks` names one.
    `applies`: whether the row's own page offers it; the service decides for itself.
    """

    name: str
    label: str
    explains: str
    run: Callable[..., str]
    applies: Callable[[Any], bool] = lambda _row: True
    asks: str = ""
    dangerous: bool = False


@dataclass(frozen=True)
class Result:
    row: Any
    address: str
    message: str
    done: bool


class Named(ChangeList):
    """A list whose rows know what the rows are called that they point at: one query a kind, not one a row."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        model_admin: Any = self.model_admin
        pairs = [pair for row in rows for pair in model_admin.pointed_at(row)]
        found = show.names(pairs)
        for row in rows:
            row.names_pointed_at = found
        self.result_list = rows


class Admin(ModelAdmin):
    """`find_by_id` and `find_by_name`: columns that a search looks into, each with an index behind it.

    `kinds`: what work items, inventory and claims call this model's rows. `secret`: columns that never leave the
    database here. `related`: models whose lists are worth a link from a row's page, searched by its id.
    """

    kinds: Sequence[str] = ()
    secret: Sequence[str] = ()
    heavy: Sequence[str] = ()  # not read for lists
    related: Sequence[str] = ()
    verbs: Sequence[Verb] = ()
    find_by_id: Sequence[str] = ("id",)
    find_by_name: Sequence[str] = ()
    pointers: Mapping[str, str] = {}

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    ordering = ("-pk",)
    sortable_by = ()
    actions_on_top = True
    change_form_template = "admin/row.html"
    change_list_template = "admin/rows.html"

    # --- who may: everybody who came in may look, nobody may edit ---

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.admin_site.has_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # --- routes ---

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path("verb/<str:verb>/", view(self.verb_view), name=f"{name}_verb"),
            path("<path:object_id>/history/", view(self.history_view), name=f"{name}_history"),
            path("<path:object_id>/change/", view(self.change_view), name=f"{name}_change"),
        ]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit log has of it."""
        row = self._row(request, unquote(object_id))
        entries = show.admin_of("auditentry")
        assert entries is not None, "the audit log has its page"
        return HttpResponseRedirect(show.listing(entries[0], str(self.audited_as(row))))

    def audited_as(self, row: Any) -> UUID | str:
        """The id under which the audit log tells of it: for the engine's own rows, that of the row they are about."""
        if isinstance(row.pk, UUID):
            return row.pk
        return str(getattr(row, "object_id", None) or getattr(row, "owner_id", None) or row.pk)

    # --- lists ---

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Named

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        name = str(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": name[:1].upper() + name[1:], **(extra_context or {})})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.secret, *self.heavy)

    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*self.find_by_id, *self.find_by_name]  # what makes the list show its search box

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[Any, bool]:
        """By id, or by how a name begins. Never by what a text contains: no index helps with that."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            where = self.by_id(UUID(term))
        except ValueError:
            return self.by_text(queryset, term), False
        return (queryset.filter(where) if where else queryset.none()), False

    def by_id(self, pk: UUID) -> Q:
        """Rows that have this id or point at it. Where an index begins with the kind, all kinds are named."""
        where = Q()
        for field in self.find_by_id:
            kind = self._kind_column(field)
            where |= Q(**{field: pk, f"{kind}__in": show.every_kind()}) if kind else Q(**{field: pk})
        return where

    def by_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        where = Q()
        for field in self.find_by_name:
            where |= Q(**{f"{field}__startswith": term.lower()})
        return queryset.filter(where) if where else queryset.none()

    # --- what a row's page shows ---

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [field for field in self.opts.concrete_fields if field.name not in self.secret]
        kept = [self._shown(field) for field in fields if field.name in ENGINE]
        own = [self._shown(field) for field in fields if field.name not in ENGINE]
        sections: list[Any] = [(None, {"fields": own})]
        if kept:
            sections.append(("Kept by the engine", {"fields": kept}))
        return sections

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return [name for _, section in self.get_fieldsets(request, obj) for name in section["fields"]]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Nothing can be typed into it: what a row's page shows are read-only fields."""
        return modelform_factory(self.model, form=ModelForm, fields=())

    def _shown(self, field: Any) -> Any:
        if field.name == "conditions":
            return _column(field, lambda row: show.conditions(row.conditions))
        if isinstance(field, JSONField | ArrayField):
            return _column(field, lambda row: show.document(getattr(row, field.name)))
        kind = self._kind_column(field.attname) or self._fixed_kind(field.attname)
        if kind and not field.is_relation:
            return _column(field, lambda row: self.linked(row, field.attname))
        return field.name

    def linked(self, row: Any, field: str) -> SafeString | str:
        kind, pk = self._pointed(row, field)
        known = getattr(row, "names_pointed_at", None)
        if known is None:
            known = show.names([(kind, pk)]) if pk is not None else {}
        return show.link(kind, pk, known.get((kind, pk), ""))

    def _pointed(self, row: Any, field: str) -> tuple[str, Any]:
        column = self._kind_column(field)
        return (getattr(row, column) if column else self._fixed_kind(field)), getattr(row, field)

    def pointed_at(self, row: Any) -> Iterable[tuple[str, UUID]]:
        """Rows that this one's list line links to."""
        for column in self.list_display:
            field = getattr(column, "points", None)
            if field is not None:
                kind, pk = self._pointed(row, field)
                if pk is not None:
                    yield kind, pk

    def _kind_column(self, field: str) -> str:
        """The column that says of which kind the row is that this one points at."""
        kind = {**POINTERS, **self.pointers}.get(field, "")
        return "" if kind.startswith("=") or not hasattr(self.model, kind or "-") else kind

    def _fixed_kind(self, field: str) -> str:
        kind = {**POINTERS, **self.pointers}.get(field, "")
        return kind[1:] if kind.startswith("=") else ""

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        row = self._row(request, unquote(object_id))
        context = {
            "verbs": [verb for verb in self.verbs if verb.applies(row)],
            "verb_address": f"admin:{self.opts.app_label}_{self.opts.model_name}_verb",
            "links": self.links(row),
            "title": f"{str(self.opts.verbose_name)[:1].upper()}{str(self.opts.verbose_name)[1:]}",
        }
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def links(self, row: Any) -> SafeString:
        """To the lists of what belongs to this row, and to its page in the portal."""
        found = []
        for kind in self.related:
            known = show.admin_of(kind)
            assert known is not None, f"{kind} has no admin page"
            found.append((show.listing(known[0], str(row.pk)), str(known[0]._meta.verbose_name_plural)))
        found += self.more_links(row)
        return format_html_join("", '<li><a href="{}">{}</a></li>', found)

    def more_links(self, row: Any) -> list[tuple[str, str]]:
        return []

    def _row(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, object_id)
        if row is None:
            raise NotFound(f"No such {self.opts.verbose_name}.")
        access.opened(actor_of(request), row)
        return row

    # --- verbs ---

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return {verb.name: (_action(verb), verb.name, verb.label) for verb in self.verbs}

    def confirm(self, request: HttpRequest, verb: Verb, rows: Sequence[Any]) -> TemplateResponse:
        return self._verb_page(request, verb, {"rows": [(row, self._address(row)) for row in rows]})

    def verb_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        """Ask (GET), then do (POST) and say for each row what came of it."""
        found = next((known for known in self.verbs if known.name == verb), None)
        if found is None:
            raise NotFound("There is no such verb.")
        sent = request.POST if request.method == "POST" else request.GET
        rows = self._chosen(request, sent.getlist("pk")[:MOST])
        if request.method != "POST":
            return self.confirm(request, found, rows)
        results = [self._run(request, found, row) for row in rows]
        return self._verb_page(request, found, {"results": results})

    def _chosen(self, request: HttpRequest, pks: Sequence[str]) -> list[Any]:
        rows = [row for row in (self.get_object(request, pk) for pk in pks) if row is not None]
        if not rows:
            raise NotFound(f"No such {self.opts.verbose_name}.")
        return rows

    def _run(self, request: HttpRequest, verb: Verb, row: Any) -> Result:
        more = {"reason": request.POST.get("reason", "")} if verb.asks else {}
        name, address = str(row), self._address(row)
        try:
            return Result(name, address, verb.run(actor=actor_of(request), row=row, **more), done=True)
        except DomainError as refusal:
            return Result(name, address, refusal.message, done=False)

    def _address(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[quote(row.pk)])

    def _verb_page(self, request: HttpRequest, verb: Verb, more: Mapping[str, Any]) -> TemplateResponse:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": verb.label,
            "verb": verb,
            "address": reverse(f"{name}_verb", args=[verb.name]),
            "back": reverse(f"{name}_changelist"),
            **more,
        }
        return TemplateResponse(request, "admin/verb.html", context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """None for what is no id at all, too."""
        try:
            return super().get_object(request, object_id, from_field)
        except (ValueError, ValidationError):
            return None


def _action(verb: Verb) -> Callable[[Any, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    def act(model_admin: Any, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
        chosen = list(rows[: MOST + 1])
        if len(chosen) > MOST:
            model_admin.message_user(request, f"At most {MOST} at once: filter the list first.", "error")
            return None
        answer: HttpResponse = model_admin.confirm(request, verb, chosen)
        return answer

    return act


def _column(field: "Field[Any, Any]", value: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A read-only field of a row's page that is shown in another way than Django's."""

    def shown(row: Any) -> Any:
        return value(row)

    shown.__name__ = field.name
    shown.short_description = field.verbose_name  # type: ignore[attr-defined]
    return shown


def points(field: str, title: str) -> Callable[[Any], Any]:
    """A column of a list: the row that another column points at, by its name, as a link."""

    def shown(row: Any) -> Any:
        known = show.admin_of(row._meta.model_name)
        assert known is not None, "it is shown by its admin"
        return known[1].linked(row, field)

    shown.__name__ = field
    shown.short_description = title  # type: ignore[attr-defined]
    shown.points = field  # type: ignore[attr-defined]
    return shown


def one_of(column: str, values: Callable[[], Iterable[str]]) -> type[admin.SimpleListFilter]:
    """A filter by a column without declared choices. Django's own would read the whole table for its values."""

    class OneOf(admin.SimpleListFilter):
        title = column.replace("_", " ")
        parameter_name = column

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return [(value, value) for value in values()]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{column: self.value()}) if self.value() else queryset

    return OneOf


def portal(name: str, row: Model) -> list[tuple[str, str]]:
    """The link to a row's page in the portal."""
    return [(reverse(name, args=[row.pk]), "in the portal")]
