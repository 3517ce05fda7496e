"""The page of `mountnd report`: one file that needs no network, and no script.

    document   the page as a whole
    sections   its parts: what happened, over time and in each file
    listings   its parts: waits, requests, what was read and how to cite it
    tables     tables, and figures that stand out
    maps       which parts of a file were read, and which were fetched: an SVG each
    plots      what happened over time, drawn by matplotlib as SVG
    elements   elements of HTML
    style.css  how it looks, dark and light

Text from elsewhere (keys, names of datasets, errors) comes into the page as text of an element or of an attribute, and
in no other way: `elements` makes a tree, which the standard library writes. The page forbids itself to load or run
anything.
"""
