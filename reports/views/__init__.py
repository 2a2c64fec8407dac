"""Pages and downloads. A view reads the request, builds the page and renders it; no cache may store the response."""
