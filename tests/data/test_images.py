import numpy as np
import pytest
from PIL import Image

from overparam.data.images import image_files, read_image_folder, read_images
from overparam.evidence.errors import UserError


@pytest.fixture
def pets(tmp_path):
    folder = tmp_path / "pets"
    rng = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (folder / kind / "deep").mkdir(parents=True)
        for i in range(3):
            pixels = rng.integers(0, 255, (6, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / kind / ("deep" if i else ".") / f"{i}.png")
    return folder


def test_the_first_sub_folder_is_the_class(pets):
    source = read_image_folder(pets)
    assert source.features.shape == (6, 6, 4, 3)
    assert source.labels.to_list() == ["cat"] * 3 + ["dog"] * 3
    assert source.names == tuple(
        f"{kind}/{name}"
        for kind in ("cat", "dog")
        for name in ("0.png", "deep/1.png", "deep/2.png")
    )
    assert np.array_equal(source.features[4], np.asarray(Image.open(pets / "dog/deep/1.png")))
    assert source.notes == []


def test_images_beside_the_sub_folders_have_no_label(pets):
    Image.new("RGB", (4, 6)).save(pets / "new.png")
    assert read_image_folder(pets).labels.null_count() == 1


def test_grey_images_stay_grey(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("L", (5, 7), 9).save(tmp_path / "a" / "x.png")
    assert read_image_folder(tmp_path).features.shape == (1, 7, 5)


def test_other_sizes_are_brought_to_the_most_common_and_counted(pets):
    Image.new("RGB", (40, 60), "red").save(pets / "cat" / "large.png")
    source = read_image_folder(pets)
    assert source.features.shape == (7, 6, 4, 3)
    assert source.notes == ["1 of 7 images were resized to 4 x 6 pixels"]
    assert (source.features[source.names.index("cat/large.png")] == [255, 0, 0]).all()


def test_large_images_shrink_to_64_pixels(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("L", (200, 100)).save(tmp_path / "a" / "x.png")
    source = read_image_folder(tmp_path)
    assert source.features.shape == (1, 32, 64)
    assert source.notes == ["1 of 1 images were resized to 64 x 32 pixels"]


def test_transparent_pixels_are_white_and_16_bits_become_8(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("RGBA", (2, 2), (0, 0, 0, 0)).save(tmp_path / "a" / "clear.png")
    Image.fromarray(np.full((2, 2), 257 * 80, np.uint16)).save(tmp_path / "a" / "deep.png")
    clear, deep = read_image_folder(tmp_path).features
    assert (clear == 255).all()
    assert (deep == 80).all()


def test_new_images_take_the_shape_of_the_old(pets):
    array, _ = read_images(image_files(pets), pets, (3, 3))
    assert array.shape == (6, 3, 3)


@pytest.mark.parametrize("damage", [lambda data: b"no image", lambda data: data[: len(data) // 2]])
def test_an_image_that_cannot_be_read_is_named(pets, damage):
    path = pets / "dog" / "deep" / "2.png"
    path.write_bytes(damage(path.read_bytes()))
    text = r"^pets must hold readable images; got dog/deep/2\.png, which is damaged or no image\.$"
    with pytest.raises(UserError, match=text):
        read_image_folder(pets)


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(
        UserError, match="must hold a sub-folder of images for each class; got none"
    ):
        read_image_folder(tmp_path)
