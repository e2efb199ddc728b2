// What a reader's browser adds to a page that has everything without: keys, and times in the
// reader's zone. It makes no markup of texts, and asks nobody for anything.
(() => {
'use strict';

const kept = name => { try { return localStorage.getItem(name) } catch { return null } };
const keep = (name, value) => { try { localStorage.setItem(name, value) } catch { /* then it holds for this page */ } };
const made = (name, text) => Object.assign(document.createElement(name), {textContent: text});
const button = (text, act) => { const b = made('button', text); b.type = 'button'; b.addEventListener('click', act); return b };

// Times. The server's are UTC, and stand in the title when they are the reader's.
const times = Array.from(document.querySelectorAll('time'), at => ({at, utc: at.textContent, moment: new Date(at.textContent.replace(' ', 'T') + 'Z')})).filter(t => !isNaN(t.moment));
const two = n => String(n).padStart(2, '0');
const local = t => `${t.moment.getFullYear()}-${two(t.moment.getMonth() + 1)}-${two(t.moment.getDate())} ${two(t.moment.getHours())}:${two(t.moment.getMinutes())}${t.utc.slice(16)}`;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const note = document.getElementById('zone');
let inUTC = kept('times') === 'utc' || zone === 'UTC';
const shown = made('span', '');
const other = button('', () => { inUTC = !inUTC; keep('times', inUTC ? 'utc' : 'local'); showTimes() });
const showTimes = () => {
  for (const t of times) {
    t.at.textContent = inUTC ? t.utc : local(t);
    t.at.title = inUTC ? '' : t.utc + ' UTC';
  }
  shown.textContent = inUTC ? 'Times are UTC. ' : `Times are UTC, and those with a dotted line those of ${zone}. `;
  other.textContent = inUTC ? 'Show those of ' + zone : 'Show UTC';
};
showTimes();
note.replaceChildren(shown, ...(zone === 'UTC' ? [] : [other, ' ']));

// Keys. They can be switched off, for who speaks to a computer instead of typing.
let on = kept('keys') !== 'off';
const follow = (rel, step) => {
  const link = document.querySelector(`.around [rel=${rel}]`);
  if (link) link.click();
  else if (!document.querySelector('.around')) walk(step);
};
const walk = step => { // to the next row that leads somewhere
  const rows = Array.from(document.querySelectorAll('main tbody tr'), row => row.querySelector('a[href^="/crash/"], a[href^="/signature?"]') || row.querySelector('a')).filter(a => a && a.checkVisibility());
  const here = rows.findIndex(a => a.closest('tr').contains(document.activeElement));
  const next = rows[here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step];
  if (next) next.focus();
};
const keys = {
  '/': ['search', () => document.getElementById('find').focus()],
  'j': ['the next row, or the next crash of a signature', () => follow('next', 1)],
  'k': ['the row or crash before', () => follow('prev', -1)],
  '?': ['these keys', () => help.showModal()],
};
const help = document.createElement('dialog');
const title = made('h2', 'Keys');
title.id = 'keys';
help.setAttribute('aria-labelledby', title.id);
const list = made('dl', '');
list.className = 'facts';
for (const [key, [what]] of [...Object.entries(keys), ['Enter', ['where the row or link leads']]]) {
  const pair = document.createElement('div');
  pair.append(document.createElement('dt'), made('dd', what));
  pair.firstChild.append(made('kbd', key));
  list.append(pair);
}
const use = made('label', '');
const check = Object.assign(document.createElement('input'), {type: 'checkbox', checked: on});
check.addEventListener('change', () => { on = check.checked; keep('keys', on ? 'on' : 'off') });
use.append(check, ' Keys do this');
help.append(title, list, use, button('Close', () => help.close()));
document.body.append(help);
note.after(button('Keys', () => help.showModal()), ' ');

document.addEventListener('keydown', e => {
  if (!on || !Object.hasOwn(keys, e.key) || e.ctrlKey || e.metaKey || e.altKey || e.isComposing || help.open || e.target.closest('input, textarea, select')) return;
  e.preventDefault();
  keys[e.key][1]();
});
})();
