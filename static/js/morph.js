// Makes one element like another and leaves alone what is equal: focus, selection and open menus stay.
// Children are matched by place; the server renders the same shape each time. Returns whether anything differed.

const KEPT = new Set(["open", "class"]); // what the reader, or we, may have changed

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
