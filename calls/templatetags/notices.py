from typing import Any

from django import template

from calls import notices

register = template.Library()


@register.simple_tag
def notices_for(user: Any) -> list[notices.Notice]:
    return notices.for_user(user)
