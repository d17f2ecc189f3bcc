// What is alive in the isolates of a Worker that runs, by V8's inspector.

import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** How long an isolate may take to collect. */
const COLLECT_MS = 10_000;

/** Asks V8's inspector of one isolate. */
interface Isolate {
  call(method: string): Promise<{ usedSize: number; embedderHeapUsedSize: number }>;
  close(): void;
}

/** The isolates that requests go through, the Worker's own first. */
export async function openIsolates(inspectorPort: number): Promise<Isolate[]> {
  const response = await fetch(`http://127.0.0.1:${inspectorPort}/json`, {
    headers: { Connection: "close" },
  });
  const targets = (await response.json()) as { webSocketDebuggerUrl: string }[];
  const urls = targets.map((target) => target.webSocketDebuggerUrl);
  // others are never entered, and do not answer
  const open = /\/(core:user:worker|ratelimit:ns:\d+)$/;
  const own = (url: string) => Number(url.endsWith("/core:user:worker"));
  return await Promise.all(
    urls
      .filter((url) => open.test(url))
      .sort((a, b) => own(b) - own(a))
      .map(openIsolate),
  );
}

async function openIsolate(url: string): Promise<Isolate> {
  const socket = new WebSocket(url);
  const answers = new Map<number, (result: never) => void>();
  socket.addEventListener("message", ({ data }) => {
    const { id, result } = JSON.parse(data);
    answers.get(id)?.(result as never);
    answers.delete(id);
  });
  await once(socket, "open");
  let calls = 0;
  return {
    call: (method) =>
      new Promise((resolve) => {
        answers.set(++calls, resolve);
        socket.send(JSON.stringify({ id: calls, method }));
      }),
    close: () => socket.close(),
  };
}

/** Collects an isolate's garbage; what is alive then, in MiB. One that does not run does not answer. */
export async function collect({ call }: Isolate): Promise<number | undefined> {
  const work = async () => {
    await call("HeapProfiler.collectGarbage");
    const { usedSize, embedderHeapUsedSize } = await call("Runtime.getHeapUsage");
    return (usedSize + embedderHeapUsedSize) / 2 ** 20;
  };
  return await Promise.race([work(), sleep(COLLECT_MS, undefined, { ref: false })]);
}
