/** A client's connection to a cluster. */
import { Ring } from "@sotto/core";
import { type CallOptions, type Cluster, type HttpTransport, ServerApi, underDeadline } from "./cluster.js";
import { type ListedModel, listModels, removeModel, roundTripBetween } from "./manage.js";
import { RemoteModel } from "./model.js";
import { fetchModel, type ModelOptions, type Servers } from "./public-part.js";
import type { RetryOptions } from "./retry.js";

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
    return underDeadline(options, `model ${name}`, async (deadline) => {
      this.ring ??= Ring.create();
      const { plan, hash, tables } = await fetchModel(this.servers, name, options, deadline);
      const model = new RemoteModel(name, plan, hash, tables, this.servers, await this.ring);
      this.models.add(model);
      return model;
    });
  }

  /** What each server holds, by the models' names. @throws SottoError unreachable, unauthorized, tls, timeout. */
  list(options: CallOptions & RetryOptions = {}): Promise<ListedModel[]> {
    return underDeadline(options, "list of models", (deadline) =>
      listModels(this.servers, options, deadline),
    );
  }

  /** The shortest round trip between the servers that either has seen, in milliseconds, where one says. */
  roundTripMs(options: CallOptions & RetryOptions = {}): Promise<number | undefined> {
    return underDeadline(options, "the servers' round trip", (deadline) =>
      roundTripBetween(this.servers, options, deadline),
    );
  }

  /**
   * Removes a model from both servers, as its owner.
   * @throws SottoError not-found when neither has it; unreachable, in which case it may be left at one: remove it again.
   */
  remove(name: string, options: CallOptions & RetryOptions = {}): Promise<void> {
    return underDeadline(options, `removal of ${name}`, (deadline) =>
      removeModel(this.servers, name, options, deadline),
    );
  }

  /** Cancels what is running and closes the connections. */
  close(): void {
    for (const model of this.models) model.close();
    this.transport.close();
  }
}
