"""One call of Omise's official client for Python.

What to call comes as JSON on standard input; what came of it goes out the same way.
"""

import json
import sys

import omise
import omise.errors

call = json.load(sys.stdin)
omise.api_main = call["url"]
omise.api_secret = call["secretKey"]
omise.api_public = call["publicKey"]


def linked_accounts(method, *path, payload=None):
    """The client has no class for linked accounts: this is what its classes are made of."""
    request = omise.Request(omise.api_secret, omise.api_main, omise.api_version)
    return request.send(method, ("linked_accounts",) + path, payload)


def attributes(found):
    return found._attributes


ACTIONS = {
    "create": lambda fields: linked_accounts("post", payload=fields),
    "retrieve": lambda id: linked_accounts("get", id),
    "destroy": lambda id: linked_accounts("delete", id),
    "list": lambda part: [attributes(found) for found in omise.LazyCollection("linked_accounts").offset(**part)],
    "each": lambda: [attributes(found) for found in omise.LazyCollection("linked_accounts")],
    "count": lambda: len(omise.LazyCollection("linked_accounts")),
    "search": lambda options: attributes(omise.Search.execute("linked_account", **options)),
    "capability": lambda: attributes(omise.Capability.retrieve()),
}

try:
    outcome = {"answer": ACTIONS[call["action"]](*call["args"])}
except omise.errors.BaseError as error:
    outcome = {"error": {"class": type(error).__name__, "message": str(error)}}
json.dump(outcome, sys.stdout)
