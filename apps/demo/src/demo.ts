/** The whole demonstration: three processes that compute, and a page to look at. */
import { type LocalCluster, throwAwayCluster } from "@sotto/cli/cluster";
import { deploy, loadCluster } from "@sotto/client";
import { models } from "./models.js";
import { buildPage, type PageCluster, type ServedPage, servePage } from "./page.js";

export interface Demo {
  url: string;
  cluster: LocalCluster;
  close(): Promise<void>;
}

/** @param port of the page; 0 for any. @param say what is being done. */
export async function startDemo(port: number, say: (text: string) => void): Promise<Demo> {
  let ready: PageCluster | undefined;
  let cluster: LocalCluster | undefined;
  let page: ServedPage | undefined;
  const close = async () => {
    await Promise.all([page?.close(), cluster?.close()]);
  };
  try {
    say("building the page, if it has not been built");
    await buildPage();
    page = await servePage(port, () => ready);
    say("starting the dealer and both servers, three processes with mutual TLS between them");
    // two sessions ahead of demand: who types does not wait for the dealer
    cluster = await throwAwayCluster({ pool: 2 }, undefined, [page.url]);
    const owner = loadCluster(cluster.owner);
    for (const [name, load] of Object.entries(models)) {
      say(`sharing the model ${name} between the servers`);
      await cluster.guard(deploy(owner, name, await load()));
    }
    ready = cluster.page;
    return { url: page.url, cluster, close };
  } catch (error) {
    await close();
    throw error;
  }
}
