/** Reads a party's metrics as a monitoring system does, for tests. */

/** Samples by name and labels, such as `sotto_rounds_total` or `sotto_bytes_total{direction="sent",kind="data",...}`. */
export type Samples = (name: string, labels?: Record<string, string>) => number;

/** @param port of the metrics listener. */
export async function scrape(port: number | undefined): Promise<{ samples: Samples; text: string }> {
  const reply = await fetch(`http://127.0.0.1:${port}/metrics`);
  const text = await reply.text();
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  const samples: Samples = (name, labels = {}) => {
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
    const fit = lines.filter((line) => {
      const own = /^[a-z_]+/i.exec(line)![0];
      return own === name && wanted.every((w) => new RegExp(`[{,]${w}[,}]`).test(line));
    });
    return fit.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  };
  return { samples, text };
}
