/** The connection of the page to its cluster. */
import { type Client, connect, type RemoteModel, type ServerAddress } from "@sotto/client";

export interface PageCluster {
  servers: [ServerAddress, ServerAddress];
  token: string;
}

const RETRY_MS = 500;

/** Asks until the cluster is up. @param onWait called when it is not, yet. */
async function findCluster(onWait: () => void): Promise<PageCluster> {
  for (;;) {
    const reply = await fetch("/cluster.json", { cache: "no-store" });
    if (reply.status === 200) return (await reply.json()) as PageCluster;
    onWait();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

export class Connection {
  private readonly models = new Map<string, Promise<RemoteModel>>();
  readonly cluster: PageCluster;
  private readonly client: Client;

  private constructor(cluster: PageCluster) {
    this.cluster = cluster;
    this.client = connect(cluster, { token: cluster.token });
  }

  static async open(onWait: () => void): Promise<Connection> {
    return new Connection(await findCluster(onWait));
  }

  /** The plan and the public tables are fetched once. */
  model(name: string): Promise<RemoteModel> {
    const found = this.models.get(name);
    if (found) return found;
    const model = this.client.model(name);
    this.models.set(name, model);
    // the next call tries again
    model.catch(() => this.models.delete(name));
    return model;
  }
}
