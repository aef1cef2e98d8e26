// Replaces the live part of the page every two seconds; greys it out while the home does not answer.
const live = document.getElementById('live');
async function refresh() {
  try {
    const answer = await fetch(live.dataset.from);
    if (answer.ok) live.innerHTML = await answer.text();
    live.classList.toggle('stale', !answer.ok);
  } catch {
    live.classList.add('stale');
  }
  setTimeout(refresh, 2000);
}
if (live) setTimeout(refresh, 2000);
