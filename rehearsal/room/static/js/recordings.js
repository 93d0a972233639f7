// The recordings that come with the rehearsal: synthetic voices, none of a person.

let known = null;

export function recordings() {
  known ??= load();
  return known;
}

async function load() {
  const all = await (await fetch("/recordings")).json();
  return all.map((recording) => ({ ...recording, url: `/recordings/${recording.name}`, file: () => fileOf(recording.name) }));
}

async function fileOf(name) {
  const answer = await fetch(`/recordings/${name}`);
  return new File([await answer.blob()], answer.headers.get("X-File-Name") ?? name);
}
