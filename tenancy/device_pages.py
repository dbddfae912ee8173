"""The page on which a command is let in: its code is typed, who asks is shown, and it is confirmed or denied."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.enforce import needs
from core.errors import NotFound, Throttled
from core.rights import Right
from core.ui.filling import FORM, actor_of
from tenancy.device_rows import DeviceSignIn
from tenancy.forms import DeviceForm
from tenancy.services import device_sign_ins

CONFIRM, DENY = "confirm", "deny"


@needs(Right.ACCOUNT)
@never_cache
@require_http_methods(FORM)
def device(request: HttpRequest) -> HttpResponse:
    """An address with the code fills it in, and nothing more: what is confirmed is confirmed by hand."""
    form = DeviceForm(
        request.POST if request.method == "POST" else None, initial={"code": request.GET.get("code", "")[:20]}
    )
    row, status = None, 200
    if request.method == "POST" and form.is_valid():
        short, deed = form.cleaned_data["code"], request.POST.get("do")
        try:
            if deed in (CONFIRM, DENY):
                return _decided(request, short, confirmed=deed == CONFIRM)
            row = device_sign_ins.look(actor=actor_of(request), short=short)
        except (NotFound, Throttled) as refusal:
            form.add_error("code", refusal.message)
            status = 429 if isinstance(refusal, Throttled) else 422
    elif request.method == "POST":
        status = 422
    return _shown(request, form, row, status)


def _decided(request: HttpRequest, short: str, *, confirmed: bool) -> HttpResponse:
    row = device_sign_ins.decide(actor=actor_of(request), short=short, confirmed=confirmed)
    if confirmed:
        messages.success(request, f"{row} is signed in as you in a moment. You can go back to it.")
    else:
        messages.success(request, f"{row} is not signed in.")
    return HttpResponseRedirect(reverse("session-list"))


def _shown(request: HttpRequest, form: DeviceForm, row: DeviceSignIn | None, status: int) -> HttpResponse:
    short = device_sign_ins.grouped(form.cleaned_data["code"]) if row is not None else ""
    page = {"section": "settings", "form": form, "row": row, "short": short, "me": actor_of(request)}
    return render(request, "tenancy/device.html", page, status=status)
