// The lock of a state folder: one sandbox at a time, because two workerds that write to one database make requests fail.
//
// It is a lock of the operating system's on the file `lock`, so it ends with the processes that hold it, however they end. What the file
// says is only for the error: which process has the lock, and where that listens. The file stays, locked or not: a lock on a file that is
// removed meanwhile would be no lock.

import { spawnSync } from "node:child_process";
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/**
 * Opens a file with a lock, on macOS (`O_EXLOCK`) and on Windows (libuv's `UV_FS_O_EXLOCK`). Linux has no such flag; there, flock(1)
 * locks a file that is open.
 */
const EXLOCK = process.platform === "win32" ? 0x1000_0000 : 0x20 | constants.O_NONBLOCK;
/** The errors of a file that another process has locked. */
const LOCKED = ["EAGAIN", "EWOULDBLOCK", "EBUSY"];
/** A sandbox that was killed ends its workerd before the lock is free: how often to ask for it, and how long to wait in between. */
const TRIES = 100;
const WAIT_MS = 100;

/** A lock that this process holds. */
export interface Lock {
  /** The open file. A process that inherits it holds the lock too. */
  fd: number;
  /** Says where this sandbox listens, for the error that another one gets. */
  listensAt(url: string): void;
}

/** Another sandbox uses the folder. The message names the folder and the sandbox, and leaves the advice to the caller. */
export class InUse extends Error {
  constructor(folder: string, { pid, url }: Holder) {
    const which = [...(pid ? [`process ${pid}`] : []), ...(url ? [url] : [])].join(", ");
    super(`another sandbox uses ${folder}${which && ` (${which})`}`);
  }
}

/** What the file says. */
interface Holder {
  pid?: number;
  url?: string;
}

/**
 * Locks a folder until this process ends, and every process that inherits the lock.
 *
 * @throws {InUse} if another sandbox runs that has locked it
 */
export async function lock(folder: string): Promise<Lock> {
  const file = join(folder, "lock");
  for (let tries = 1; ; tries++) {
    const fd = take(file);
    if (fd !== undefined) {
      const say = (holder: Holder) => {
        ftruncateSync(fd);
        writeSync(fd, `${JSON.stringify(holder)}\n`, 0);
      };
      say({ pid: process.pid });
      return { fd, listensAt: (url) => say({ pid: process.pid, url }) };
    }
    const holder = read(file);
    if (holder.pid === undefined || lives(holder.pid)) throw new InUse(folder, holder);
    // that process is gone: what holds the lock is about to end its workerd
    if (tries === TRIES) throw new InUse(folder, {});
    await setTimeout(WAIT_MS);
  }
}

/** Opens and locks a file, unless another process has locked it. */
function take(file: string): number | undefined {
  const flags = constants.O_RDWR | constants.O_CREAT;
  if (process.platform !== "linux") {
    try {
      return openSync(file, flags | EXLOCK, 0o600);
    } catch (error) {
      if (LOCKED.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
      throw error;
    }
  }
  const fd = openSync(file, flags, 0o600);
  const { status, error, stderr } = spawnSync("flock", ["-x", "-n", "3"], {
    stdio: ["ignore", "ignore", "pipe", fd],
    encoding: "utf8",
  });
  if (status === 0) return fd;
  closeSync(fd);
  if (status === 1 && stderr === "") return undefined;
  if (error)
    throw new Error(`flock, which locks ${file}, cannot be run (${error.message}): install util-linux`);
  throw new Error(`flock cannot lock ${file}: ${stderr.trim()}`);
}

/** What the file says, as far as it is whole: its writer may be about to write it, and Windows lets only the holder read it. */
function read(file: string): Holder {
  try {
    const { pid, url } = JSON.parse(readFileSync(file, "utf8"));
    return {
      ...(Number.isSafeInteger(pid) && pid > 0 && { pid }),
      ...(typeof url === "string" && { url }),
    };
  } catch {
    return {};
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
