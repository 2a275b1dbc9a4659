// A request waits for the patient: when he has answered, the page is shown anew. The browser comes again by itself.
const place = document.getElementById("asked");

if (place !== null) {
  const stream = new EventSource(place.dataset.events);
  stream.addEventListener("state", (event) => {
    if (JSON.parse(event.data).state !== "requested") {
      stream.close();
      window.location.reload();
    }
  });
}
