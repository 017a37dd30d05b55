// node verify.js PACKAGE: reads webhooks as JSON and tells of each whether the package's Webhook verifies it.
const { Webhook } = require(process.argv[2]);

const verifies = ({ secret, headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};

const webhooks = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(webhooks.map(verifies)));
