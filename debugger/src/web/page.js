// The page of `pvm debug --web`. Names come from blobs, so everything is set as text and nothing as HTML.
'use strict';

const $ = (id) => document.getElementById(id);
const hex = (value) => '0x' + value.toString(16);

let program, state;
let sources = new Map();
let shownFile = null;
let code = [];
let chosen = null;
let memoryAt = null;
let busy = false;
const breakpoints = { lines: [], instructions: [] };

async function ask(name, body = {}) {
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await (await fetch('api/' + name, options)).json();
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// Motions ------------------------------------------------------------------------------------------------------------

async function go(motion) {
  if (busy) return;
  busy = true;
  try {
    let answer = await ask('go', motion);
    while (answer.isGoing) {
      $('stop').hidden = false;
      $('reason').textContent = `runs: position ${answer.position}`;
      $('line').max = answer.furthest;
      $('line').value = answer.position;
      answer = await ask('go', { motion: stopping ? 'stop' : 'more' });
    }
    await show(answer);
  } catch (error) {
    $('reason').textContent = error.message;
  } finally {
    busy = false;
    stopping = false;
    $('stop').hidden = true;
  }
}

let stopping = false;
$('stop').onclick = () => (stopping = true);

const named = (name) => (name === 'start' ? { motion: 'seek', position: 0 } : { motion: name });
for (const button of document.querySelectorAll('[data-go]')) button.onclick = () => go(named(button.dataset.go));

const keys = {
  s: 'instruction', S: 'instructionBack', n: 'over', N: 'lineBack', i: 'into', o: 'out', c: 'forward', C: 'backward',
  Home: 'start', End: 'end',
};
document.onkeydown = (event) => {
  if (event.target.tagName === 'INPUT' || event.ctrlKey || event.altKey || event.metaKey) return;
  if (keys[event.key]) {
    event.preventDefault();
    go(named(keys[event.key]));
  }
};

// While the time line is dragged, the last place that it was at is gone to.
let sought = null;
async function seek() {
  while (sought !== null && !busy) {
    const position = sought;
    sought = null;
    await go({ motion: 'seek', position });
  }
}
$('line').oninput = () => {
  sought = Number($('line').value);
  seek();
};
$('position').onchange = () => {
  const position = Number($('position').value);
  if (Number.isSafeInteger(position) && position >= 0) go({ motion: 'seek', position });
};

// What is shown ------------------------------------------------------------------------------------------------------

async function show(answer) {
  state = answer;
  $('reason').textContent = state.stop;
  $('line').max = state.furthest;
  $('line').value = state.position;
  $('position').value = state.position;
  $('furthest').textContent = state.end === null ? `${state.furthest} or more` : state.end;
  $('gas').textContent = state.gas;
  $('gas-change').textContent = state.gasChange === '0' ? '' : state.gasChange > 0 ? `+${state.gasChange}` : state.gasChange;
  showStack();
  showRegisters();
  await showCode();
  const frame = state.stack.find((frame) => frame.file !== null);
  await showSource(frame ? frame.file : shownFile, frame ? frame.line : null);
  followAccess();
  await showMemory();
}

function showStack() {
  const list = state.stack.map((frame) => {
    const place = frame.file === null ? hex(frame.pc) : `${program.files[frame.file]}:${frame.line}`;
    const item = element('li', `${frame.function}${frame.inlined ? ' (inlined)' : ''}  ${place}`);
    item.onclick = () => frame.file !== null && showSource(frame.file, frame.line);
    return item;
  });
  $('stack').replaceChildren(...(list.length ? list : [element('li', '(host)')]));
}

function showRegisters() {
  const rows = state.registers.map((register) => {
    const row = element('tr', undefined, register.changed ? 'changed' : '');
    row.append(element('td', register.name), element('td', register.value), element('td', register.decimal));
    row.ondblclick = () => lookAt(Number(register.value));
    return row;
  });
  $('registers').replaceChildren(...rows);
}

async function showSource(file, line) {
  if (file === null || file === undefined) return;
  if (!sources.has(file)) sources.set(file, await ask('source', { file }));
  const source = sources.get(file);
  if (shownFile !== file) {
    shownFile = file;
    $('file').textContent = source.name;
    const can = new Set(source.lines);
    const text = source.text === null ? ['The file is not here: begin in its folder.'] : source.text.split('\n');
    const rows = text.map((content, index) => {
      const number = index + 1;
      const row = element('div', undefined, can.has(number) ? 'row can' : 'row');
      row.dataset.line = number;
      const label = element('span', number, 'number');
      if (can.has(number)) label.onclick = () => toggle(breakpoints.lines, { file, line: number });
      row.append(label, element('span', content));
      return row;
    });
    $('source').replaceChildren(...rows);
    markBreakpoints();
  }
  mark($('source'), 'here', (row) => Number(row.dataset.line) === line);
}

async function showCode() {
  const pc = state.pc;
  if (pc !== null && !code.some((instruction) => instruction.offset === pc)) {
    code = (await ask('code', { around: pc })).instructions;
    let before = null;
    const rows = [];
    for (const instruction of code) {
      if (instruction.function !== before && instruction.function) rows.push(element('h2', instruction.function));
      before = instruction.function;
      const row = element('div', undefined, instruction.block ? 'row can block' : 'row can');
      row.dataset.offset = instruction.offset;
      row.dataset.source = `${instruction.file}:${instruction.line}`;
      const label = element('span', instruction.offset, 'number');
      label.onclick = () => toggle(breakpoints.instructions, instruction.offset);
      row.append(label, element('span', instruction.text));
      rows.push(row);
    }
    $('code').replaceChildren(...rows);
    markBreakpoints();
  }
  const here = code.find((instruction) => instruction.offset === pc);
  const source = here && here.line !== null ? `${here.file}:${here.line}` : '';
  for (const row of $('code').children) row.classList.toggle('line', row.dataset.source === source);
  mark($('code'), 'here', (row) => row.dataset.offset === String(pc));
}

function mark(list, kind, is) {
  for (const row of list.children) {
    const here = is(row);
    row.classList.toggle(kind, here);
    if (here) row.scrollIntoView({ block: 'nearest' });
  }
}

// Breakpoints --------------------------------------------------------------------------------------------------------

function toggle(list, wanted) {
  const same = (entry) => JSON.stringify(entry) === JSON.stringify(wanted);
  const index = list.findIndex(same);
  if (index >= 0) list.splice(index, 1);
  else list.push(wanted);
  markBreakpoints();
  ask('breakpoints', breakpoints).catch((error) => ($('reason').textContent = error.message));
}

function markBreakpoints() {
  const lines = new Set(breakpoints.lines.filter((entry) => entry.file === shownFile).map((entry) => entry.line));
  for (const row of $('source').children) row.classList.toggle('break', lines.has(Number(row.dataset.line)));
  const offsets = new Set(breakpoints.instructions.map(String));
  for (const row of $('code').children) row.classList.toggle('break', offsets.has(row.dataset.offset));
}

// Memory -------------------------------------------------------------------------------------------------------------

const SHOWN = 256;

function followAccess() {
  const access = $('follow').checked ? state.nextAccess : null;
  if (access) {
    memoryAt = Math.max(0, (access.address & ~15) >>> 0);
    chosen = access.address;
  } else if (memoryAt === null) {
    memoryAt = program.memory[1].start;
  }
}

function lookAt(address) {
  if (!Number.isSafeInteger(address) || address < 0 || address > 0xffffffff) {
    $('reason').textContent = 'this is no address';
    return;
  }
  $('follow').checked = false;
  chosen = address;
  memoryAt = (address & ~15) >>> 0;
  showMemory();
}

async function showMemory() {
  const { address, bytes, changed } = await ask('memory', { address: memoryAt, length: SHOWN });
  $('address').value = hex(chosen ?? address);
  const is = new Set(changed);
  const rows = [];
  for (let start = 0; start < bytes.length; start += 16) {
    const row = element('div');
    row.append(element('span', (address + start).toString(16).padStart(8, '0') + '  ', 'address'));
    for (let index = start; index < Math.min(start + 16, bytes.length); index++) {
      const byte = element('span', bytes[index].toString(16).padStart(2, '0'), 'byte');
      byte.classList.toggle('changed', is.has(index));
      byte.classList.toggle('chosen', address + index === chosen);
      byte.onclick = () => lookAt(address + index);
      row.append(byte);
    }
    const letter = (byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : '.');
    row.append('  ' + bytes.slice(start, start + 16).map(letter).join(''));
    rows.push(row);
  }
  $('memory').replaceChildren(...(rows.length ? rows : [element('div', 'nothing can be read there')]));
}

$('look').onsubmit = (event) => {
  event.preventDefault();
  lookAt(Number($('address').value));
};
$('regions').onchange = () => {
  if ($('regions').value) lookAt(Number($('regions').value));
};
$('who').onclick = () => {
  if (chosen !== null) go({ motion: 'writer', address: chosen, length: 1 });
};

async function begin() {
  program = await ask('program');
  for (const region of program.memory.filter((region) => region.start < region.end)) {
    const option = element('option', region.name);
    option.value = region.start;
    $('regions').append(option);
  }
  await show(await ask('state'));
  await goToHash();
  document.body.dataset.ready = 'yes';
}

// An address that ends in `#POSITION` leads there.
async function goToHash() {
  const position = location.hash.slice(1);
  if (/^[0-9]+$/.test(position)) await go({ motion: 'seek', position: Number(position) });
}
window.onhashchange = goToHash;

begin().catch((error) => ($('reason').textContent = error.message));
