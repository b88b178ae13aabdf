// Seals and opens what a test hands over: HPKE by npm `@hpke/core` with `@hpke/hybridkem-x-wing`.
//
// One JSON document in, one out, every value in hex. The argument is the folder with `node_modules`.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { CipherSuite, HkdfSha256 } = require("@hpke/core");
const { Chacha20Poly1305 } = require("@hpke/chacha20poly1305");
const { XWing } = require("@hpke/hybridkem-x-wing");

const suite = new CipherSuite({
  kem: new XWing(),
  kdf: new HkdfSha256(),
  aead: new Chacha20Poly1305(),
});
const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (buffer) => Buffer.from(buffer).toString("hex");

async function answer({ key, enc, info, messages }) {
  const use = async (context, verb) => {
    const done = [];
    for (const { aad, data } of messages) {
      done.push(hex(await context[verb](bytes(data), bytes(aad))));
    }
    return { enc: context.enc ? hex(context.enc) : null, messages: done };
  };
  if (enc === null) {
    const recipientPublicKey = await suite.kem.deserializePublicKey(bytes(key));
    return use(await suite.createSenderContext({ recipientPublicKey, info: bytes(info) }), "seal");
  }
  const recipientKey = await suite.kem.deserializePrivateKey(bytes(key));
  const parameters = { recipientKey, enc: bytes(enc), info: bytes(info) };
  return use(await suite.createRecipientContext(parameters), "open");
}

const job = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(await answer(job)));
