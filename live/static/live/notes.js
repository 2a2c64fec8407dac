/* Notes on calls that rang for the person: forms on cards and on My calls, saved without leaving the page. What was
   typed and is not saved stays in its form, and is in it again after another page was opened in the same tab. */
(() => {
  if (!ringTab) return;

  const { root, dates } = ringTab;
  const DRAFTS = `calltally-notes-${root.dataset.user}`;
  const DRAFTS_KEPT = 20;
  const FORM = '[data-note] form:not([data-ring=""])';
  const text = (name) => root.getAttribute(`data-note-${name}`) || "";

  /* --- drafts, by the id of the ring; storage may be forbidden --- */
  const drafts = () => {
    try {
      return JSON.parse(sessionStorage.getItem(DRAFTS)) || {};
    } catch {
      return {};
    }
  };
  const keepDraft = (ring, values) => {
    const { [ring]: _, ...others } = drafts();
    const kept = Object.entries(others).slice(values ? 1 - DRAFTS_KEPT : -DRAFTS_KEPT);
    try {
      sessionStorage.setItem(DRAFTS, JSON.stringify(Object.fromEntries(values ? [...kept, [ring, values]] : kept)));
    } catch {
      // The form has it.
    }
  };

  /* --- what a form says, and what is stored --- */
  const stored = new WeakMap(); // of forms; else it is what the page came with
  const plain = (values) => ({ result: values.result, text: values.text.replace(/\r\n?/g, "\n") });
  const isSame = (one, other) => one.result === other.result && one.text === other.text;
  const valuesOf = ({ elements }) => plain({ result: elements.result.value, text: elements.text.value });
  const storedOf = (form) => stored.get(form) || plain({
    result: form.querySelector("option[selected]")?.value || "",
    text: form.elements.text.defaultValue,
  });
  const say = (form, words, isWrong = false) => {
    const said = form.querySelector("[data-said]");
    if (said.textContent !== words) said.textContent = words;
    said.toggleAttribute("data-wrong", isWrong);
  };
  /* Pages do not remove a form with the mark data-unsaved. */
  const mark = (form) => {
    const isUnsaved = !isSame(valuesOf(form), storedOf(form));
    form.toggleAttribute("data-unsaved", isUnsaved);
    return isUnsaved;
  };
  const put = (form, { result, text: written }) => {
    form.elements.result.value = result;
    if (form.elements.text.value !== written) form.elements.text.value = written;
  };
  const open = (form) => { form.closest("details").open = true; };
  /* Show what is stored, if nothing else was typed. */
  const take = (form, note) => {
    const isTyped = form.hasAttribute("data-unsaved");
    stored.set(form, plain(note || { result: "", text: "" }));
    if (!isTyped) put(form, storedOf(form));
    mark(form);
    if (note?.result || note?.text) open(form);
  };
  const restore = (form) => {
    form.closest("[data-note]").hidden = false;
    const draft = drafts()[form.dataset.ring];
    if (!draft || isSame(draft, storedOf(form))) return;
    put(form, draft);
    mark(form);
    say(form, text("unsaved"));
    open(form);
  };
  const restoreAll = () => document.querySelectorAll(FORM).forEach(restore);

  /* --- saving --- */
  const moment = dates({ hour: "2-digit", minute: "2-digit" });
  const post = async (form, values) => {
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        headers: { Accept: "application/json", "X-CSRFToken": root.querySelector("[name=csrfmiddlewaretoken]").value },
        body: new URLSearchParams({ ring: form.dataset.ring, ...values }),
      });
      if (answer.redirected) return { status: 403 }; // to the sign-in page
      return { status: answer.status, said: [200, 400].includes(answer.status) ? await answer.json() : null };
    } catch {
      return { status: 0 };
    }
  };
  const SAYS = { 401: "signed-out", 403: "signed-out", 404: "gone" };
  const save = async (form) => {
    if (form.dataset.saving) return;
    form.dataset.saving = "yes";
    say(form, text("saving"));
    const sent = valuesOf(form);
    const { status, said } = await post(form, sent);
    delete form.dataset.saving;
    if (status !== 200) {
      say(form, said?.errors?.join(" ") || text(SAYS[status] || "failed"), true);
      return;
    }
    // What was typed meanwhile stays.
    if (isSame(valuesOf(form), sent)) {
      form.removeAttribute("data-unsaved");
      keepDraft(form.dataset.ring, null);
    }
    take(form, said);
    const words = said.result || said.text ? text("saved") : text("removed");
    say(form, form.hasAttribute("data-unsaved") ? text("unsaved") : words.replace("{at}", moment.format(new Date())));
    const detail = { ring: Number(form.dataset.ring), note: said };
    document.dispatchEvent(new CustomEvent("calltally:noted", { detail }));
  };
  document.addEventListener("submit", (event) => {
    if (!event.target.matches(FORM)) return;
    event.preventDefault();
    save(event.target);
  });
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.(FORM);
    if (!form) return;
    const isUnsaved = mark(form);
    keepDraft(form.dataset.ring, isUnsaved ? valuesOf(form) : null);
    say(form, isUnsaved ? text("unsaved") : "");
  });

  /* Notes that ring-cards.js has: of a new card, and of other tabs. */
  document.addEventListener("calltally:stored", ({ target, detail }) => {
    take(target, detail);
    restore(target);
  });

  /* --- a part of a page waits to be renewed while a note in it is written --- */
  let waiting = null;
  const isWritten = (part) => part.querySelector(`${FORM}[data-unsaved], ${FORM}:focus-within`) !== null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (!event.detail.target || !isWritten(event.detail.target)) return;
    event.detail.shouldSwap = false;
    waiting = event.detail.target;
  });
  document.addEventListener("htmx:afterSwap", restoreAll);
  document.addEventListener("focusout", () => setTimeout(() => {
    if (!waiting || isWritten(waiting)) return;
    waiting = null;
    document.dispatchEvent(new Event("ringended"));
  }));
  restoreAll();
})();
