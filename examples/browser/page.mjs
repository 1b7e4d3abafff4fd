// The page's fields and buttons. How Corti is used is in dictation.mjs, session.mjs and rest.mjs.
import { dictate, dictationClient } from "./dictation.mjs";
import { explain } from "./explain.mjs";
import { gateway } from "./gateway.mjs";
import { createInteraction, interactions, restClient } from "./rest.mjs";
import { converse } from "./session.mjs";
import { microphone, sample, stop } from "./sound.mjs";

const element = (id) => document.getElementById(id);

// The key is nowhere else than in this field and these variables.
let ask;
let dictation;
let rest;

element("url").value = location.origin;
say(element("connect"), "Paste the key that the gateway printed.");

element("connect").addEventListener("submit", (event) => {
  event.preventDefault();
  const url = element("url").value.replace(/\/+$/, "");
  const key = element("key").value.trim();
  element("ways").disabled = true;
  run(element("connect"), async () => {
    ask = gateway(url, key);
    dictation = undefined;
    rest = restClient(url, key);
    const me = await ask("/broker/v1/me");
    element("ways").disabled = false;
    return `Connected as ${me.caller}.`;
  });
});

spoken("dictation", async (page) => {
  dictation ??= await dictationClient(ask);
  await dictate(dictation, page);
});
spoken("session", (page) => converse(ask, page));

element("create").addEventListener("click", () => {
  run(element("rest"), async () => {
    await createInteraction(rest);
    return list();
  });
});
element("list").addEventListener("click", () => run(element("rest"), list));

async function list() {
  const found = await interactions(rest);
  element("rest").querySelector("ol").replaceChildren(
    ...found.map(({ id, createdAt, encounter }) => {
      const item = document.createElement("li");
      item.append(`${createdAt.toLocaleTimeString()}, ${encounter.status}`, document.createElement("code"));
      item.lastChild.textContent = id;
      return item;
    }),
  );
  return found.length ? "The newest come first." : "There is no interaction yet.";
}

/** The two buttons of a card, each of which starts and stops one kind of sound. */
function spoken(id, way) {
  const card = element(id);
  const buttons = [...card.querySelectorAll("button")];
  const log = card.querySelector("[role=log]");
  buttons.forEach((button, at) => {
    const label = button.textContent;
    let sound;
    button.addEventListener("click", async () => {
      if (sound) return stop(sound);
      buttons.forEach((it) => (it.disabled = true));
      log.replaceChildren();
      await run(card, async () => {
        await way({
          open: async () => {
            sound = await [microphone, sample][at]();
            button.textContent = "Stop";
            button.disabled = false;
            return sound;
          },
          status: (text) => say(card, text),
          text: (text) => log.append(Object.assign(document.createElement("p"), { textContent: text })),
        });
        return "Finished.";
      });
      if (sound) stop(sound);
      sound = undefined;
      button.textContent = label;
      buttons.forEach((it) => (it.disabled = false));
    });
  });
}

/** Runs an action, and says in its card how it ended. */
async function run(card, action) {
  say(card, "Connecting …");
  try {
    say(card, await action());
  } catch (error) {
    say(card, explain(error), true);
  }
}

function say(card, text, failed = false) {
  const status = card.querySelector("[role=status]");
  status.textContent = text;
  status.classList.toggle("failed", failed);
}
