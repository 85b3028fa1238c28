"""How Sphinx builds the manual: ``make docs``, offline, warnings are errors."""

from airflow_oauth_provider import __version__

project = "airflow-oauth-provider"
author = "The authors of airflow-oauth-provider"
project_copyright = "Apache-2.0"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
# A link or an anchor that leads nowhere is a warning, and so an error.
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]
myst_links_external_new_tab = False

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Libraries of adapters that the manual's environment does not have.
autodoc_mock_imports = ["azure", "confluent_kafka", "openlineage", "pyiceberg"]
# Public names are checked. Private types, and those of other libraries, have no page here: the manual is
# built without a network.
_PUBLIC = "|".join(
    (
        *("hooks.oauth2", "auth", "operators", "sensors.oauth2", "triggers.oauth2", "notifications"),
        *("response_check", "retry_policy", "exceptions", r"adapters\.\w+"),
    )
)
nitpick_ignore_regex = [("py:.*", rf"(?!airflow_oauth_provider\.({_PUBLIC})\.[A-Z]).*")]

html_theme = "pydata_sphinx_theme"
html_title = "OAuth 2.0 for Airflow"
html_show_sourcelink = False
html_show_copyright = False
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["manual.css"]
# All pages by reader, on every page.
html_sidebars = {"**": ["all-pages"]}
html_theme_options = {
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["sphinx-version"],
    "footer_end": [],
}
