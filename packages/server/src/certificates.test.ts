/** Certificates of another CA and of another role, on every connection. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { connect, httpsTransport } from "@sotto/client";
import { SottoError } from "@sotto/core";
import { greet } from "@sotto/wire";
import { dial, readIdentity } from "@sotto/wire/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "./index.js";
import { makeLog } from "./log.js";
import { newId } from "./parties.js";
import { makeTestFolder, TestCluster, tlsPaths } from "./testing/cluster.js";

const silent = makeLog("test", "silent");

describe("certificates", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let stranger: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;

  beforeAll(async () => {
    [folder, stranger] = await Promise.all([makeTestFolder(), makeTestFolder()]);
    cluster = await TestCluster.start(folder.dir);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
    stranger.remove();
  });

  const client = () => tlsPaths(folder.dir, "client");

  it("are written with keys that only their owner reads", () => {
    for (const role of ["dealer", "server-0", "server-1", "owner", "client"]) {
      expect(statSync(join(folder.dir, "certs", `${role}.key`)).mode & 0o777).toBe(0o600);
      expect(() => readIdentity(tlsPaths(folder.dir, role))).not.toThrow();
    }
  });

  it("are checked before they are used", async () => {
    const other = tlsPaths(stranger.dir, "client");
    const cases = [
      [{ ...other, ca: client().ca }, /client.pem was not issued by the CA of .*ca.pem/],
      [{ ...client(), key: other.key }, /client.key is not the key of .*client.pem/],
      [{ ...client(), cert: "/nowhere.pem" }, /tls.cert: cannot read \/nowhere.pem \(ENOENT\)/],
      [{ ...client(), cert: client().key }, /client.key is not a certificate in PEM/],
    ] as const;
    for (const [tls, message] of cases) expect(() => readIdentity(tls)).toThrow(message);
    const config = { ...cluster.serverConfig(0), tls: client() };
    await expect(startServer(config)).rejects.toThrow(/certificate of "client", expected "server-0"/);
  });

  it("of another CA: the client refuses the servers", async () => {
    const attempt = connect({ ...cluster.as("client"), tls: tlsPaths(stranger.dir, "client") }).model("m");
    await expect(attempt).rejects.toMatchObject({
      code: "tls",
      message: expect.stringMatching(/has no certificate that is trusted here/),
    });
  });

  it("of another role: the servers refuse the client, the client refuses the servers", async () => {
    const { servers } = cluster.as("client");
    const wrongRole = connect({ servers, tls: tlsPaths(folder.dir, "server-1") }).model("m");
    await expect(wrongRole).rejects.toThrow(
      /not for the certificate of "server-1"; expected that of client or owner/,
    );
    const exchanged = connect({ servers: [servers[1], servers[0]], tls: client() }).model("m");
    await expect(exchanged).rejects.toMatchObject({
      code: "tls",
      message: expect.stringMatching(
        /shows the certificate of "server-[01]", expected that of "server-[10]"/,
      ),
    });
  });

  it.each(["peer", "dealer"] as const)(
    "of another CA or role are refused by the %s's port",
    async (which) => {
      const { port } =
        which === "peer" ? cluster.serverConfig(1).peer.connect! : cluster.serverConfig(1).dealer;
      const remote = which === "peer" ? "server-0" : "dealer";
      const knock = async (identity: ReturnType<typeof readIdentity>): Promise<SottoError> => {
        try {
          const channel = await dial({ host: "127.0.0.1", port }, identity, remote, 60_000);
          await greet(channel, { role: "server-1", boot: newId() }, remote, 60_000, () => {});
        } catch (error) {
          return error as SottoError;
        }
        return new SottoError("internal", "let in");
      };
      const asClient = await knock(readIdentity(client()));
      expect(asClient.message).toMatch(/the certificate is that of "client"; expected .*server-1/);
      // forged: a stranger's certificate that names the right role
      const forged = readIdentity(tlsPaths(stranger.dir, "server-1"));
      const { ca } = readIdentity(client());
      expect((await knock({ ...forged, ca })).code).toMatch(/^(tls|unreachable)$/);
    },
  );

  it("of another CA keep a server out, and its state says why", async () => {
    await cluster.stopServer(1);
    const own = cluster.serverConfig(1);
    const lost = await startServer({ ...own, tls: tlsPaths(stranger.dir, "server-1") }, { log: silent });
    const transport = httpsTransport({ ...cluster.as("client"), tls: tlsPaths(stranger.dir, "client") });
    const url = `https://127.0.0.1:${lost.ports.http}/v2/health/ready`;
    await expect
      .poll(async () => {
        const reply = await transport.request({ method: "GET", url, role: "server-1" });
        return JSON.parse(new TextDecoder().decode(reply.body)).message;
      })
      .toMatch(/server 0 is not connected: server-0 \(.*\) has no certificate that is trusted here/);
    transport.close();
    await lost.close();
    await cluster.startServer(1);
  });
});
