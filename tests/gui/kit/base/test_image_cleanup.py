import gc
import threading
from typing import Any

from PIL import Image

from tests.gui.conftest import Pump


def test_a_picture_that_dies_in_another_thread_is_deleted_by_the_windows_own(root: Any, pump: Pump) -> None:
    from PIL import ImageTk

    class Circle:
        def __init__(self) -> None:
            self.photo = ImageTk.PhotoImage(Image.new("RGB", (4, 4)), master=root)
            self.me = self

    gc.disable()
    try:
        name = str(Circle().photo)
        assert name in root.tk.call("image", "names")
        thread = threading.Thread(target=gc.collect)
        thread.start()
        thread.join()  # without a turn of the window: nothing may wait for it
        assert name in root.tk.call("image", "names")
    finally:
        gc.enable()
    pump(lambda: name not in root.tk.call("image", "names"))


def test_a_picture_that_dies_in_the_windows_thread_goes_at_once(root: Any) -> None:
    from PIL import ImageTk

    photo = ImageTk.PhotoImage(Image.new("RGB", (4, 4)), master=root)
    name = str(photo)
    del photo
    assert name not in root.tk.call("image", "names")
