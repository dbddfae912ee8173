"""The public halves of the keys that sign access tokens, for whoever wants to check one (RFC 7517)."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from core.enforce import public
from tenancy import keyring

FRESH_SECONDS = 300


@public
@require_safe
def jwks(request: HttpRequest) -> JsonResponse:
    """Every key whose signature is good now."""
    keys = [key.as_jwk() for key in keyring.current().verifying.values() if key.is_good()]
    answer = JsonResponse({"keys": keys})
    answer["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
    return answer
