// The disk under the Worker's objects is full: what cannot be written down is not done, and what was done is found once there is room.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { appendFileSync, mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Answer, assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { Relayed } from "./relayed.ts";

/** Mounting a disk that fills up takes root, which the full run has. */
const FULL = Boolean(process.env.FULL);
const SIZE = "16m";

let disk: string;
let filler: string;
let relayed: Relayed;
let me: Customer;

function fill(): void {
  try {
    for (;;) appendFileSync(filler, Buffer.alloc(4_096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  }
}

const makeRoom = () => rmSync(filler, { force: true });

/** Fills the disk once Omise has answered. */
function fillAfter(method: string): void {
  relayed.relay.onAnswer = (exchange) => {
    if (exchange.method === method) fill();
  };
}

/** The object is reset once its commit has failed; the edge cannot tell how far a create had come. */
function assertUnknown(answer: Answer): void {
  assertError(answer, 502, "outcome_unknown");
}

describe("the disk is full", { skip: !FULL && "with --full: it takes root" }, () => {
  before(async () => {
    disk = mkdtempSync(join(tmpdir(), "disk-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE}`, "tmpfs", disk]);
    filler = join(disk, "filler");
    relayed = await Relayed.start({ deadlineMs: 10_000, statePath: join(disk, "state") });
  });
  after(async () => {
    await relayed?.dispose();
    execFileSync("umount", [disk]);
    rmdirSync(disk);
  });
  beforeEach(() => {
    makeRoom();
    relayed.calm();
    me = relayed.customer();
  });

  test("create by a customer who has no tables yet: Omise is not asked", async () => {
    fill();
    assertUnknown(await me.create());
    makeRoom();
    assert.equal(relayed.relay.count("POST"), 0);
    assert.equal((await me.create()).status, 200);
  });

  test("create by one who has: Omise is not asked, and what is written can be read", async () => {
    const { id } = (await me.create()).body;
    fill();
    const key = randomUUID();
    const create = () => me.create({ type: "direct_debit_scb" }, key);
    assertUnknown(await create());
    assert.equal((await me.fetch("GET", "/linked_accounts")).body.data[0].id, id);
    makeRoom();
    assert.equal(relayed.relay.count("POST"), 1);
    assert.equal((await create()).status, 200);
  });

  test("create, and the disk is full when Omise answers: the same key finds the account", async () => {
    fillAfter("POST");
    const key = randomUUID();
    assertError(await me.create({}, key), 502, "outcome_unknown");
    makeRoom();
    relayed.calm();
    const answer = await me.create({}, key);
    const [held] = await relayed.heldFor(me);
    assert.deepEqual([answer.status, answer.body.id], [200, held?.id]);
    assert.equal(relayed.relay.count("POST"), 0);
  });

  test("delete, and the disk is full when Omise answers: it is told once there is room", async () => {
    const { id, registration_uri } = (await me.create()).body;
    await register(registration_uri, "approve");
    fillAfter("DELETE");
    assertError(await me.delete(id), 503, "ledger_unavailable");
    makeRoom();
    relayed.calm();
    await relayed.alarm(me);
    assert.equal((await relayed.link(id))?.status, "deleted");
    assert.equal(await relayed.audited("delete", id), 1);
    assert.equal(relayed.relay.count("DELETE"), 0);
  });
});
