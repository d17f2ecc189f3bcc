// Failures of Omise that the list and search specs share.

import { account, answering, type FakeOmise } from "../../harness/omise.ts";

/** Omise's failures of a list or a search, each with the status and reason that the Worker answers with. */
export const PAGE_FAULTS: [
  name: string,
  answer: FakeOmise["answer"],
  status: number,
  reason: string,
  /** `requests`: the number of requests that Omise receives. */
  more?: { retryAfter?: string; requests?: number },
][] = [
  [
    "500, the Rails way",
    answering(500, { status: 500, error: "Internal Server Error" }),
    503,
    "upstream_unavailable",
    { retryAfter: "1", requests: 3 },
  ],
  [
    "503, HTML",
    (_, response) => void response.writeHead(503).end("<b>"),
    503,
    "upstream_unavailable",
    { retryAfter: "1", requests: 3 },
  ],
  [
    "501, which is not for now",
    answering(501, { object: "error", code: "x", message: "<b>" }),
    503,
    "upstream_unavailable",
    { retryAfter: "1" },
  ],
  [
    "429 for a minute",
    answering(429, { object: "error", code: "too_many_requests", message: "<b>" }, { "Retry-After": "60" }),
    503,
    "upstream_unavailable",
    { retryAfter: "60" },
  ],
  [
    "429 for longer than the deadline",
    answering(429, {}, { "Retry-After": "5" }),
    503,
    "upstream_unavailable",
    { retryAfter: "5" },
  ],
  [
    "429 for a day",
    (_, response) =>
      void response.writeHead(429, { "Retry-After": new Date(Date.now() + 86_400_000).toUTCString() }).end(),
    503,
    "upstream_unavailable",
    { retryAfter: "3600" },
  ],
  ["401", answering(401, { object: "error", code: "authentication_failure" }), 502, "upstream_misconfigured"],
  ["403", answering(403, { object: "error", code: "not_authorized" }), 502, "upstream_misconfigured"],
  ["404", answering(404, { object: "error", code: "not_found" }), 502, "upstream_misconfigured"],
  ["400", answering(400, { object: "error", code: "bad_request", message: "<b>" }), 400, "upstream_refused"],
  ["HTML", (_, response) => void response.writeHead(200).end("<b>"), 502, "upstream_unreadable"],
  ["another object", answering(200, account()), 502, "upstream_unreadable"],
  ["an array", answering(200, [account()]), 502, "upstream_unreadable"],
  ["204", (_, response) => void response.writeHead(204).end(), 502, "upstream_unreadable"],
  [
    "302",
    (_, response) => void response.writeHead(302, { Location: "/elsewhere" }).end(),
    502,
    "upstream_unreadable",
  ],
  [
    "nothing, and resets",
    (request) => void request.socket.destroy(),
    503,
    "upstream_unavailable",
    { requests: 3 },
  ],
  ["nothing, and hangs", () => {}, 504, "upstream_timeout"],
  [
    "half of it, and hangs",
    (_, response) => void response.writeHead(200, { "Content-Length": "100" }).write("{"),
    504,
    "upstream_timeout",
  ],
];
