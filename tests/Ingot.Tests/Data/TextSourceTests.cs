using System.IO.Compression;
using System.Text;
using Ingot.Data;
using Ingot.Tests.Tokenizers;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Data;

public class TextSourceTests : FolderTests
{
    [Test]
    public void AFileIsReadWhole()
    {
        var source = TextSource.Open(Write("a.txt", "héllo\nwörld\n"));
        Assert.That(ReadAll(source), Is.EqualTo("héllo\nwörld\n"));
        Assert.That(source.Measure(), Is.EqualTo(new TextStatistics(14, 12)));
        Assert.That(source.Files, Has.Count.EqualTo(1));
    }

    [Test]
    public void AFoldersTextFilesAreReadInOrdinalOrder()
    {
        Write("b.txt", "b");
        Write("B.md", "B");
        Write("sub/a.txt", "sub");
        Write("sub.txt", "sub.txt");
        Write("noextension", "noextension");
        Write("packed.txt.gz", Gzip("packed"));
        Write("empty.txt", "");
        Write(".hidden", "hidden");
        Write(".git/config", "hidden");
        Write("image.png", [0x89, 0x50, 0x4E, 0x47, 0, 0, 0, 13]);
        Write("archive.gz", Gzip("a\0b"));
        File.CreateSymbolicLink(In("circle"), Folder);
        File.CreateSymbolicLink(In("nowhere.txt"), In("absent"));
        File.CreateSymbolicLink(In("itself.txt"), In("itself.txt"));
        File.CreateSymbolicLink(In("link.txt"), In("b.txt"));

        var source = TextSource.Open(Folder);
        Assert.That(
            source.Files.Select(file => Path.GetRelativePath(Folder, file.Path)),
            Is.EqualTo(new[] { "B.md", "b.txt", "link.txt", "noextension", "packed.txt.gz", "sub.txt", "sub/a.txt" }));
        Assert.That(source.Files[2].Length, Is.EqualTo(1));
        Assert.That(ReadAll(source), Is.EqualTo("Bbbnoextensionpackedsub.txtsub"));
        Assert.That(
            source.Skipped.Select(skipped => Path.GetRelativePath(Folder, skipped)),
            Is.EquivalentTo(new[]
            {
                "archive.gz: binary, not text",
                "empty.txt: empty",
                "image.png: binary, not text",
                "itself.txt: a link that leads nowhere",
                "nowhere.txt: a link that leads nowhere",
            }));
    }

    [TestCase("\ufeffa\r\nb\rc\n\r\nd\r", "a\nb\rc\n\nd\r")]
    [TestCase("\ufeff", "")]
    [TestCase("\r\n", "\n")]
    [TestCase("a\ufeffb\0", "a\ufeffb\0")]
    public void ByteOrderMarksAndCrlfGo(string content, string text)
    {
        // Zero bytes make a file binary only at its beginning.
        var padding = new string('x', 9000) + "\n";
        var file = Write("a.txt", content.Replace("\0", padding + "\0", StringComparison.Ordinal));
        Assert.That(ReadAll(TextSource.Open(file)), Is.EqualTo(text.Replace("\0", padding + "\0", StringComparison.Ordinal)));
    }

    [Test]
    public void BlocksMayEndAnywhereInACharacterOrALineEnd()
    {
        foreach (var unit in new[] { "\r\n", "é", "漢", "🦊", "a\r", "\ra\r\n" })
        {
            for (var shift = 0; shift < 4; shift++)
            {
                var text = new string('x', shift) + string.Concat(Enumerable.Repeat(unit, 50_000)) + "end";
                var read = ReadAll(TextSource.Open(Write("a.txt", text)));
                Assert.That(read, Is.EqualTo(text.Replace("\r\n", "\n", StringComparison.Ordinal)));
            }
        }
    }

    [Test]
    public void PiecesHaveTheSameTokensAsTheWhole()
    {
        var random = new Random(4);
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        for (var i = 0; i < 15; i++)
        {
            var text = "text " + RandomText.Next(random, 30_000).Replace("\0", "", StringComparison.Ordinal);
            var source = TextSource.Open(Write("a.txt", text), pieceSize: 1000);
            var pieces = source.ReadPieces().ToList();
            Assert.That(pieces, Has.Count.GreaterThan(1));
            Assert.That(pieces.FindIndex(piece => piece.EndsDocument), Is.EqualTo(pieces.Count - 1));

            var ids = new List<int>();
            pieces.ForEach(piece => tokenizer.EncodeUtf8(piece.Utf8.Span, ids));
            Assert.That(ids, Is.EqualTo(tokenizer.Encode(text.Replace("\r\n", "\n", StringComparison.Ordinal))));
        }
    }

    [Test]
    public void RealTextInPiecesHasTheSameTokens()
    {
        var source = TextSource.Open(Write("a.txt", TestData.JargonFile()), pieceSize: 1 << 16);
        var tokenizer = ByteLevelBpeTokenizerTests.Trained();
        var ids = new List<int>();
        var pieces = 0;
        foreach (var piece in source.ReadPieces())
        {
            tokenizer.EncodeUtf8(piece.Utf8.Span, ids);
            pieces++;
        }

        Assert.That(pieces, Is.GreaterThan(10));
        Assert.That(ids, Is.EqualTo(tokenizer.Encode(Encoding.UTF8.GetString(TestData.JargonFile()))));
    }

    [Test]
    public void TheSizesOfFilesAreMeasuredTogether()
    {
        Write("a.txt", "é\r\n");
        Write("b.txt", "\ufeff漢");
        Assert.That(TextSource.Open(Folder).Measure(), Is.EqualTo(new TextStatistics(6, 3)));
    }

    [TestCase("6162FF63", "byte 2 (0xFF)")]
    [TestCase("C3", "byte 0 (0xC3)")]
    [TestCase("61E6BC", "byte 1 (0xE6)")]
    [TestCase("EDA080", "byte 0 (0xED)")] // A surrogate.
    [TestCase("C080", "byte 0 (0xC0)")] // An overlong zero.
    [TestCase("F4908080", "byte 0 (0xF4)")] // Beyond U+10FFFF.
    [TestCase("EFBBBF61E9", "byte 4 (0xE9)")]
    [TestCase("FFFE6100", "UTF-16")]
    [TestCase("FEFF0061", "UTF-16")]
    public void WhatIsNotUtf8IsNamed(string hexadecimal, string named)
    {
        var file = Write("a.txt", Convert.FromHexString(hexadecimal));
        Assert.That(
            () => TextSource.Open(file).Measure(),
            Throws.TypeOf<InvalidDataException>().With.Message.Contains(file).And.Message.Contains(named).And.Message.Contains("iconv"));
    }

    [Test]
    public void APlaceFarInsideALargeFileIsNamed()
    {
        var content = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("漢字\r\n", 100_000)));
        content[700_004] = 0xFF;
        foreach (var file in new[] { Write("a.txt", content), Write("b", Gzip(content)) })
        {
            Assert.That(
                () => TextSource.Open(file).Measure(),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains(file).And.Message.Contains("byte 700003 "));
        }
    }

    [Test]
    public void WhatHoldsNoTextIsAnError()
    {
        Assert.That(() => TextSource.Open(In("absent")), Throws.TypeOf<FileNotFoundException>().With.Message.Contains(In("absent")));
        Assert.That(() => TextSource.Open(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no text files"));
        Assert.That(() => TextSource.Open(Write("empty", "")), Throws.TypeOf<InvalidDataException>().With.Message.Contains("empty"));
        Assert.That(() => TextSource.Open(Write("zero", [1, 0])), Throws.TypeOf<InvalidDataException>().With.Message.Contains("binary"));
        Assert.That(() => TextSource.Open(Folder), Throws.TypeOf<InvalidDataException>().With.Message.Contains("zero: binary"));
        Assert.That(() => TextSource.Open("/dev/zero"), Throws.TypeOf<InvalidDataException>().With.Message.Contains("empty"));

        // A byte-order mark; nothing, packed by gzip.
        foreach (var content in new[] { "EFBBBF", "1F8B080000000000000303000000000000000000" })
        {
            var source = TextSource.Open(Write("nothing", Convert.FromHexString(content)));
            Assert.That(() => source.Measure(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("no text"));
        }
    }

    [Test]
    public void DamagedGzipIsNoticed()
    {
        var random = new Random(9);
        var text = string.Concat(Enumerable.Range(0, 100_000).Select(_ => (char)random.Next('a', 'z')));
        var packed = Gzip(text);
        Assert.That(ReadAll(TextSource.Open(Write("whole.gz", packed))), Is.EqualTo(text));
        Assert.That(ReadAll(TextSource.Open(Write("two.gz", [.. packed, .. packed]))), Is.EqualTo(text + text), "two members");
        foreach (var length in new[] { 12, packed.Length / 2, packed.Length - 8, packed.Length - 4, packed.Length - 1 })
        {
            var file = Write("cut.gz", packed[..length]);
            Assert.That(
                () => TextSource.Open(file).Measure(),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains(file).And.Message.Contains("cut short"),
                () => $"{length} of {packed.Length}");
        }

        packed[packed.Length / 2] ^= 0x10;
        var damaged = Write("damaged.gz", packed);
        Assert.That(() => TextSource.Open(damaged).Measure(), Throws.TypeOf<InvalidDataException>().With.Message.Contains(damaged));
    }

    [Test]
    public void ALineWithoutAnEndIsAnErrorAndNotAFullMemory()
    {
        var line = new byte[80 << 20];
        Array.Fill(line, (byte)'x');
        var file = Write("a.txt", line);
        Assert.That(() => TextSource.Open(file).Measure(), Throws.TypeOf<InvalidDataException>().With.Message.Contains("white space"));
    }

    [Test]
    public void AFileThatMayNotBeReadIsNamed()
    {
        if (OperatingSystem.IsWindows() || Environment.IsPrivilegedProcess)
        {
            Assert.Ignore("Needs a Unix user whose access can be denied.");
            return;
        }

        var file = Write("a.txt", "text");
        File.SetUnixFileMode(file, UnixFileMode.None);
        Assert.That(() => TextSource.Open(file), Throws.TypeOf<UnauthorizedAccessException>().With.Message.Contains(file));
    }

    private static byte[] Gzip(string text) => Gzip(Encoding.UTF8.GetBytes(text));

    private static byte[] Gzip(byte[] content)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
        {
            gzip.Write(content);
        }

        return packed.ToArray();
    }

    private static string ReadAll(TextSource source) =>
        string.Concat(source.ReadUtf8().Select(piece => Encoding.UTF8.GetString(piece.Span)));
}
