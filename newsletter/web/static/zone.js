// Where no zone was chosen, the browser's own is proposed; whoever fills in the form sees it and may choose another.
const select = document.querySelector("select[data-propose]");
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (select && select.value === "" && [...select.options].some((option) => option.value === zone)) {
  select.value = zone;
}
