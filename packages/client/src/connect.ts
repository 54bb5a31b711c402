/** A client's connection to a cluster. */
import { Ring } from "@sotto/core";
import { type Cluster, type HttpTransport, ServerApi, underDeadline } from "./cluster.js";
import { fetchModel, type ModelOptions, RemoteModel, type Servers } from "./model.js";

export class Client {
  private readonly servers: Servers;
  private readonly transport: HttpTransport;
  private readonly models = new Set<RemoteModel>();
  private ring: Promise<Ring> | undefined;

  /** @internal See connect(). */
  constructor(cluster: Cluster, transport: HttpTransport) {
    this.servers = [new ServerApi(cluster, 0, transport), new ServerApi(cluster, 1, transport)];
    this.transport = transport;
  }

  /**
   * Fetches a model's plan and public tables from the servers, and checks that both serve the same.
   * @throws SottoError not-found, plan-mismatch, unreachable, tls, timeout.
   */
  model(name: string, options: ModelOptions = {}): Promise<RemoteModel> {
    return underDeadline(options, `model ${name}`, async (signal) => {
      this.ring ??= Ring.create();
      const { plan, hash, tables } = await fetchModel(this.servers, name, options.plan, signal);
      const model = new RemoteModel(name, plan, hash, tables, this.servers, await this.ring);
      this.models.add(model);
      return model;
    });
  }

  /** Cancels what is running and closes the connections. */
  close(): void {
    for (const model of this.models) model.close();
    this.transport.close();
  }
}
