// Makes one element like another and leaves alone what is equal: focus, selection and open menus stay.
// Children are matched by place; the server renders the same shape each time. Those that have a key are matched by it:
// what is new comes in between, and what one has opened or is reading stays. Returns whether anything differed.

const KEPT = new Set(["open", "class", "aria-expanded"]); // what the reader, or we, may have changed

export function morph(old, made) {
  if (old.nodeType !== made.nodeType || old.nodeName !== made.nodeName) {
    old.replaceWith(made.cloneNode(true));
    return true;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue === made.nodeValue) return false;
    old.nodeValue = made.nodeValue;
    return true;
  }
  if (old.nodeName === "INPUT" || old.isEqualNode(made)) return false; // hidden tokens differ in each answer
  const differs = [attributes(old, made), children(old, made)].includes(true);
  return differs && old.nodeName !== "TIME"; // that time passes is no change
}

function attributes(old, made) {
  let differs = false;
  for (const { name, value } of made.attributes) {
    if (old.getAttribute(name) !== value && !(name === "open" || (name === "class" && old.nodeName === "TR"))) {
      old.setAttribute(name, value);
      differs = true;
    }
  }
  for (const { name } of [...old.attributes]) {
    if (!made.hasAttribute(name) && !KEPT.has(name)) old.removeAttribute(name);
  }
  return differs;
}

function children(old, made) {
  if (made.firstElementChild?.dataset?.key && old.firstElementChild?.dataset?.key) return keyed(old, made);
  let differs = false;
  const wanted = [...made.childNodes];
  const have = [...old.childNodes];
  wanted.forEach((node, index) => {
    if (index < have.length) differs = morph(have[index], node) || differs;
    else {
      old.append(node.cloneNode(true));
      differs = true;
    }
  });
  for (const node of have.slice(wanted.length)) {
    node.remove();
    differs = true;
  }
  return differs;
}

function keyed(old, made) {
  let differs = false;
  const have = new Map([...old.children].map((item) => [item.dataset.key, item]));
  const room = old.scrollHeight;
  let next = old.firstElementChild;
  for (const node of made.children) {
    const known = have.get(node.dataset.key);
    have.delete(node.dataset.key);
    if (known) differs = morph(known, node) || differs;
    else differs = true;
    const item = known ?? node.cloneNode(true);
    if (item === next) next = next.nextElementSibling;
    else old.insertBefore(item, next);
  }
  for (const item of have.values()) {
    item.remove();
    differs = true;
  }
  if (old.scrollTop > 0) old.scrollTop += old.scrollHeight - room; // new ones come above what is being read
  return differs;
}
