// Says something to screen readers.

export function announce(sentence) {
  const place = document.getElementById("announcer");
  place.textContent = "";
  requestAnimationFrame(() => {
    place.textContent = sentence;
  });
}
