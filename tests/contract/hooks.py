"""What a document cannot say: whose token a request carries, and how Omise signs an event.

Each is done to the request as it is about to be sent, so that Schemathesis goes on judging what it made.
"""

import base64
import hashlib
import hmac
import itertools
import json
import os
import time

import schemathesis
from requests.auth import AuthBase
from schemathesis.core.parameters import ParameterLocation

with open(os.environ["CALLER"], encoding="utf-8") as file:
    CALLER = json.load(file)
WEBHOOK_KEY = base64.b64decode(CALLER["webhook_secret"])
# the one that Schemathesis was given: any other, or none, is a probe of its own
GIVEN = f"Bearer {os.environ['TOKEN']}"

others = itertools.cycle(CALLER["others"])
# who made which account
owners: dict[str, str | None] = {}


class Caller(AuthBase):
    """Somebody else in place of the one caller that Schemathesis knows."""

    def __init__(self, authorization: str | None) -> None:
        self.authorization = authorization

    def __call__(self, request):
        if request.headers.get("Authorization") == GIVEN:
            del request.headers["Authorization"]
            if self.authorization is not None:
                request.headers["Authorization"] = self.authorization
        return request


class Signed(AuthBase):
    """Signs the bytes that are sent."""

    def __call__(self, request):
        signed_at = str(int(time.time()))
        body = request.body or b""
        message = signed_at.encode() + b"." + (body.encode() if isinstance(body, str) else body)
        request.headers["Omise-Signature"] = hmac.new(WEBHOOK_KEY, message, hashlib.sha256).hexdigest()
        request.headers["Omise-Signature-Timestamp"] = signed_at
        return request


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.definition.raw.get("operationId")
    account = (case.path_parameters or {}).get("id")
    if operation == "webhook":
        # where the headers are what is wrong, they stay so
        if case.meta is None or not case.meta.is_negative_at(ParameterLocation.HEADER):
            kwargs["auth"] = Signed()
    elif account in owners:
        kwargs["auth"] = Caller(owners[account])
    elif operation in CALLER["operations"]:
        kwargs["auth"] = Caller(next(others))


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.definition.raw.get("operationId") == "create" and response.status_code == 200:
        owners[response.json()["id"]] = response.request.headers["Authorization"]
