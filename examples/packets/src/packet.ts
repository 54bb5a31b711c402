/** What is kept of a packet: no payload. */
export interface Packet {
  /** Seconds since the capture's first packet. */
  time: number;
  /** IP protocol number: 6 TCP, 17 UDP, 1 ICMP, 58 ICMP for IPv6. */
  protocol: number;
  /** IP addresses as text. */
  source: string;
  destination: string;
  /** 0 where the protocol has none, and in all but the first fragment of a packet. */
  sourcePort: number;
  destinationPort: number;
  /** Bytes of the IP packet, headers included. */
  length: number;
  /** Bytes after the transport header. */
  payload: number;
  /** TCP flags, 0 for other protocols. */
  flags: number;
}

export const TCP = 6;
export const UDP = 17;

/** Bits of `Packet.flags` (RFC 9293, section 3.1). */
export const FIN = 1;
export const SYN = 2;
export const RST = 4;
export const ACK = 16;
