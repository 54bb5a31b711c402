/** CPU time and memory of a process, from Linux's /proc; undefined elsewhere. */
import { readFileSync } from "node:fs";

/** USER_HZ: the unit of the times in /proc, fixed for programs. */
const TICKS_PER_SECOND = 100;

export function cpuSeconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // the command's name may contain spaces; fields count from behind its closing bracket
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/** CPU seconds of these processes and of this one, the last. */
export function cpuOfAll(pids: readonly number[]): (number | undefined)[] {
  const { user, system } = process.cpuUsage();
  return [...pids.map(cpuSeconds), (user + system) / 1e6];
}

/** CPU seconds that all cores have spent on anything since the machine has started. */
export function machineSeconds(): number | undefined {
  try {
    const [user, nice, system, , , irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
      .split("\n", 1)[0]!
      .trim()
      .split(/\s+/)
      .slice(1)
      .map(Number);
    return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

export function peakMegabytes(pid: number): number | undefined {
  return memory(pid, "VmHWM");
}

export function residentMegabytes(pid: number): number | undefined {
  return memory(pid, "VmRSS");
}

function memory(pid: number, what: string): number | undefined {
  try {
    const match = new RegExp(`${what}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match ? Number(match[1]) / 1024 : undefined;
  } catch {
    return undefined;
  }
}
