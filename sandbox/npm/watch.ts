// Ends workerd with the process that started it. Miniflare does so itself, but not where that process is killed by SIGKILL.

import { type ChildProcess, spawn } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { basename } from "node:path";

/**
 * A shell that waits for the end of its standard input, a pipe from the process that started it: the system closes it when that process
 * is gone. Then the shell kills workerd and waits until it is gone, because the shell may hold the lock of the folder that workerd uses.
 * A zombie is gone: where no init process reaps it, it stays. After five seconds the shell ends all the same.
 */
const WATCHER = `
runs() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
read -r _
kill -KILL "$1" 2>/dev/null
n=0
while runs "$1" && [ "$n" -lt 50 ]; do sleep 0.1; n=$((n + 1)); done
`;

/**
 * Watches each workerd that this process starts from now on. `held` are file descriptors that stay open until workerd is gone; `log` gets
 * a line where a workerd cannot be watched.
 */
export function watchWorkerd(held: number[], log: (line: string) => void): void {
  // libuv puts the children of a process on Windows into a job that ends with the process.
  if (process.platform === "win32") return;
  subscribe("child_process", (message) => {
    const { process: child } = message as { process: ChildProcess };
    child.once("spawn", () => {
      if (basename(child.spawnfile) === "workerd") watch(child, held, log);
    });
  });
}

function watch(workerd: ChildProcess, held: number[], log: (line: string) => void): void {
  const watcher = spawn("/bin/sh", ["-c", WATCHER, "sh", String(workerd.pid)], {
    // a session of its own: Ctrl-C and the end of the terminal are not for the watcher
    detached: true,
    stdio: ["pipe", "ignore", "ignore", ...held],
  });
  watcher.on("error", ({ message }) =>
    log(`workerd (process ${workerd.pid}) stays if this process is killed by SIGKILL: ${message}`),
  );
  watcher.unref();
  (watcher.stdin as Socket).unref();
  workerd.once("exit", () => watcher.kill("SIGKILL"));
}
