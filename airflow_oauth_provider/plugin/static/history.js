// Counts down to the end of a token.
"use strict";
{
  const tell = (seconds) => {
    if (seconds <= 0) return "now";
    const two = (number) => String(number).padStart(2, "0");
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
    return hours ? `in ${hours} h ${two(minutes)} min` : `in ${minutes} min ${two(seconds % 60)} s`;
  };

  const count = () => {
    for (const element of document.querySelectorAll("[data-countdown]"))
      element.textContent = tell(Math.ceil(Number(element.dataset.countdown) - Date.now() / 1000));
  };

  count();
  setInterval(count, 1000);
}
