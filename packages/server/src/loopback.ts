/** Addresses that only this machine can reach. */
import { BlockList, isIP, isIPv6 } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Of a literal address; a name is none, since who keeps the names could point it elsewhere. */
export function isLoopback(host: string): boolean {
  return isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4");
}
