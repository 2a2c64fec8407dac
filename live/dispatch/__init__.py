"""Events for other systems: what happens in calls becomes deliveries to endpoints, which are sent in their formats."""
