// Reads messages with postal-mime:  node postal.mjs LIBRARY < JSON list of base64 messages
// and answers with a JSON list of what a mail program would show.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const { default: PostalMime } = await import(pathToFileURL(process.argv[2]).href);
const read = [];
for (const message of JSON.parse(readFileSync(0, 'utf8'))) {
  const mail = await PostalMime.parse(Buffer.from(message, 'base64'));
  const headers = mail.headers.map(each => [each.key, each.value]);
  const { subject, from, to, replyTo, text, html, attachments } = mail;
  read.push({ subject, from, to, replyTo, text, html, attachments: attachments.length, headers });
}
process.stdout.write(JSON.stringify(read));
