"""What happens to a letter on its way to one person: plan, batch, message, outcome."""
