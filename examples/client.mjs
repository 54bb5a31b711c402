import { connect, loadCluster } from "@sotto/client";
import { loadVocabulary, tokenize } from "@sotto/example-spam";

// node examples/client.mjs ./cluster/cluster-client.yaml spam "You have won 1,000,000 dollars!"
const [file, name, ...words] = process.argv.slice(2);
if (words.join("").trim() === "") {
  console.error('usage: node examples/client.mjs CLUSTER_FILE MODEL "TEXT OF A MAIL"');
  process.exit(1);
}
try {
  const client = connect(loadCluster(file)); // addresses and certificates; nothing is sent yet
  const model = await client.model(name); // what both servers say of it: names, shapes, ranges

  // The mail as numbers of words. It does not leave this process: every server gets a share of the input,
  // and each share by itself is random.
  const tokens = tokenize(words.join(" "), await loadVocabulary());
  const inputs = { tokens: { shape: [1, tokens.length], data: tokens } };
  const { outputs, stats } = await model.infer(inputs, { timeoutMs: 30_000 });

  // The result is put together here, from one share of each server.
  const [ham, spam] = outputs.logits.data;
  const probability = 1 / (1 + Math.exp(ham - spam));
  console.log(`${probability > 0.5 ? "spam" : "ham"}, probability of spam ${probability.toFixed(3)}`);
  console.log(`${stats.rounds} rounds, ${stats.onlineBytes} bytes each way, ${Math.round(stats.totalMs)} ms`);
  for (const [i, { input }] of stats.saw.entries()) console.log(`server ${i} got ${input}...`);
  client.close();
} catch (error) {
  console.error(error.message); // says what to do
  process.exit(1);
}
