"""What apps may do and what patients decide about them."""

from accounts.apps.scopes import find_categories, list_offered
from accounts.apps.service.asking import (
    Agreement,
    Asked,
    OpenedRequest,
    RequestFile,
    agree,
    answer_invalid,
    cancel_request,
    check_asker,
    complete_request,
    decline,
    get_asked,
    open_request,
    take_up_request,
)
from accounts.apps.service.authorizations import (
    AuthorizationView,
    end_authorizations,
    end_authorizations_of_login,
    end_authorizations_of_persons,
    find_authorization,
    list_authorizations,
)
from accounts.apps.service.identifying import authorized_person_ids, identify_app, lock_authorization
from accounts.apps.service.identity import list_public_keys
from accounts.apps.service.introspection import TokenFacts, introspect_token
from accounts.apps.service.origins import is_origin_known
from accounts.apps.service.registry import (
    AppDetails,
    AppFile,
    change_app,
    list_apps,
    register_app,
    replace_app_keys,
)
from accounts.apps.service.tokens import (
    AppCredentials,
    AppTokens,
    authenticate_app,
    exchange_code,
    refresh_tokens,
    revoke_token,
)

__all__ = [
    "Agreement",
    "AppCredentials",
    "AppDetails",
    "AppFile",
    "AppTokens",
    "Asked",
    "AuthorizationView",
    "OpenedRequest",
    "RequestFile",
    "TokenFacts",
    "agree",
    "answer_invalid",
    "authenticate_app",
    "authorized_person_ids",
    "cancel_request",
    "change_app",
    "check_asker",
    "complete_request",
    "decline",
    "end_authorizations",
    "end_authorizations_of_login",
    "end_authorizations_of_persons",
    "exchange_code",
    "find_authorization",
    "find_categories",
    "get_asked",
    "identify_app",
    "introspect_token",
    "is_origin_known",
    "list_apps",
    "list_authorizations",
    "list_offered",
    "list_public_keys",
    "lock_authorization",
    "open_request",
    "refresh_tokens",
    "register_app",
    "replace_app_keys",
    "revoke_token",
    "take_up_request",
]
