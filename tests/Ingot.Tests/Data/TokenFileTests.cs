using System.Buffers.Binary;
using Ingot.Data;
using Ingot.Tokenizers;
using NUnit.Framework;

namespace Ingot.Tests.Data;

public class TokenFileTests : FolderTests
{
    [TestCase(300, 2)]
    [TestCase(65536, 2)]
    [TestCase(65537, 4)]
    [TestCase(200_000, 4)]
    public void TokensComeBack(int vocabularySize, int bytesPerToken)
    {
        var random = new Random(vocabularySize);
        var ids = Enumerable.Range(0, 100_001).Select(_ => random.Next(vocabularySize)).Append(vocabularySize - 1).ToArray();
        var tokenizer = new SomeTokenizer(vocabularySize, endOfText: 7);
        using (var writer = new TokenFileWriter(In("a.tokens"), tokenizer))
        {
            writer.BeginDocument();
            writer.Append(ids.AsSpan(0, 3), 10);
            writer.BeginDocument();
            writer.Append(ids.AsSpan(3), 1000);
            Assert.That(writer.TokenCount, Is.EqualTo(ids.Length));
            writer.Complete();
        }

        using var file = TokenFile.Open(In("a.tokens"));
        Assert.That(file.TokenCount, Is.EqualTo(ids.Length));
        Assert.That(file.BytesPerToken, Is.EqualTo(bytesPerToken));
        Assert.That(file.TextBytes, Is.EqualTo(1010));
        Assert.That(file.VocabularySize, Is.EqualTo(vocabularySize));
        Assert.That(file.EndOfTextId, Is.EqualTo(7));
        Assert.That(file.TokenizerFingerprint, Is.EqualTo(tokenizer.Fingerprint));
        Assert.That(Enumerable.Range(0, 2).Select(document => file.DocumentStart(document)), Is.EqualTo(new[] { 0, 3 }));
        Assert.That(file.DocumentCount, Is.EqualTo(2));

        var read = new int[ids.Length];
        file.Read(0, read);
        Assert.That(read, Is.EqualTo(ids));
        file.Read(99_999, read.AsSpan(0, 3));
        Assert.That(read[..3], Is.EqualTo(ids[^3..]));
        Assert.That(Directory.GetFiles(Folder), Is.EqualTo(new[] { In("a.tokens") }));
    }

    [Test]
    public void AFileWithoutTokensIsAFile()
    {
        WriteTokens([]);
        using var file = TokenFile.Open(In("a.tokens"));
        Assert.That(file.TokenCount, Is.Zero);
        file.Read(0, []);
    }

    [Test]
    public void RangesOutsideAreErrors()
    {
        WriteTokens([1, 2, 3]);
        using var file = TokenFile.Open(In("a.tokens"));
        foreach (var (start, length) in new[] { (-1L, 1), (0, 4), (3, 1), (4, 0), (long.MaxValue, 1), (long.MinValue, 1) })
        {
            Assert.That(
                () => file.Read(start, new int[length]),
                Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("a.tokens"));
        }

        Assert.That(() => file.DocumentStart(1), Throws.TypeOf<ArgumentOutOfRangeException>());
        Assert.That(() => file.DocumentStart(-1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void AClosedFileIsAnError()
    {
        WriteTokens([1, 2, 3]);
        var file = TokenFile.Open(In("a.tokens"));
        file.Dispose();
        Assert.That(() => file.Read(0, new int[1]), Throws.InstanceOf<ObjectDisposedException>());
    }

    [Test]
    public void FilesBeyondFourGigabytesAreRead()
    {
        // Mostly a hole, so the disk hardly notices; the checksum is not looked at.
        const long tokenCount = 3_000_000_000;
        var header = new TokenFileHeader(tokenCount, 1, 0, 65536, null, new string('0', 64), 0);
        using (var stream = File.Create(In("big.tokens")))
        {
            var bytes = new byte[TokenFileHeader.Size];
            header.Write(bytes);
            stream.Write(bytes);
            stream.SetLength(header.FileLength);
            stream.Seek(TokenFileHeader.Size + (2 * (tokenCount - 2)), SeekOrigin.Begin);
            stream.Write([0x34, 0x12, 0xFF, 0xFF]);
        }

        using var file = TokenFile.Open(In("big.tokens"), verify: false);
        var last = new int[3];
        file.Read(tokenCount - 3, last);
        Assert.That(last, Is.EqualTo(new[] { 0, 0x1234, 0xFFFF }));

        var sampler = new BatchSampler(file, 2, 2, DataSampling.Epoch, 1);
        Assert.That(sampler.WindowsPerEpoch, Is.EqualTo((tokenCount - 1) / 2));
        sampler.Next(new Batch(2, 2));
    }

    [Test]
    public void EveryChangedByteIsNoticed()
    {
        WriteTokens([.. Enumerable.Range(0, 37)]);
        var good = File.ReadAllBytes(In("a.tokens"));
        for (var i = 0; i < good.Length; i++)
        {
            var bad = (byte[])good.Clone();
            bad[i] ^= 0x40;
            Write("bad.tokens", bad);
            Assert.That(
                () => TokenFile.Open(In("bad.tokens")),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains("bad.tokens").And.Message.Contains("Delete it"),
                () => $"byte {i}");
        }
    }

    [Test]
    public void EveryTruncationIsNoticed()
    {
        WriteTokens([.. Enumerable.Range(0, 37)]);
        var good = File.ReadAllBytes(In("a.tokens"));
        for (var length = 0; length < good.Length; length++)
        {
            Write("bad.tokens", good[..length]);
            Assert.That(() => TokenFile.Open(In("bad.tokens")), Throws.TypeOf<InvalidDataException>().With.Message.Contains("bad.tokens"));
        }

        Write("bad.tokens", [.. good, 0]);
        Assert.That(() => TokenFile.Open(In("bad.tokens")), Throws.TypeOf<InvalidDataException>());
        Assert.That(() => TokenFile.Open(In("absent.tokens")), Throws.TypeOf<FileNotFoundException>().With.Message.Contains("absent"));
    }

    [Test]
    public void ATokenOutsideTheVocabularyIsNoticedWhenItIsRead()
    {
        WriteTokens([1, 2, 3]);
        var bytes = File.ReadAllBytes(In("a.tokens"));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(TokenFileHeader.Size + 2), 60000);
        Write("bad.tokens", bytes);
        using var file = TokenFile.Open(In("bad.tokens"), verify: false);
        file.Read(0, new int[1]);
        Assert.That(() => file.Read(1, new int[1]), Throws.TypeOf<InvalidDataException>().With.Message.Contains("60000"));
    }

    [Test]
    public void AnotherVersionIsNamed()
    {
        WriteTokens([1]);
        var bytes = File.ReadAllBytes(In("a.tokens"));
        bytes[8] = 2;
        Write("new.tokens", bytes);
        Assert.That(() => TokenFile.Open(In("new.tokens")), Throws.TypeOf<InvalidDataException>().With.Message.Contains("version 2"));
    }

    [Test]
    public void HeadersThatMakeNoSenseAreNoticedThoughTheirChecksumIsRight()
    {
        var good = new TokenFileHeader(1, 1, 0, 300, null, new string('0', 64), 0);
        foreach (var header in new[]
        {
            good with { TokenCount = -1 }, good with { TokenCount = long.MaxValue }, good with { DocumentCount = -1 },
            good with { DocumentCount = long.MaxValue / 8 }, good with { VocabularySize = 0 }, good with { VocabularySize = -5 },
            good with { EndOfTextId = 300 }, good with { TextBytes = -1 }, good with { TokenCount = 1L << 40 },
        })
        {
            var bytes = new byte[TokenFileHeader.Size + 8];
            header.Write(bytes.AsSpan(0, TokenFileHeader.Size));
            Write("bad.tokens", bytes);
            Assert.That(() => TokenFile.Open(In("bad.tokens"), verify: false), Throws.TypeOf<InvalidDataException>(), () => $"{header}");
        }
    }

    [Test]
    public void NothingStaysBehindOfAnUnfinishedFile()
    {
        using (var writer = new TokenFileWriter(In("a.tokens"), new SomeTokenizer(300)))
        {
            writer.Append([1, 2, 3], 3);
            Assert.That(() => writer.Append([300], 1), Throws.TypeOf<ArgumentOutOfRangeException>().With.Message.Contains("300"));
        }

        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [Test]
    public void TwoWritersDoNotMix()
    {
        using var first = new TokenFileWriter(In("a.tokens"), new SomeTokenizer(300));
        first.Append([1, 2, 3], 3);
        Assert.That(() => new TokenFileWriter(In("a.tokens"), new SomeTokenizer(300)), Throws.InstanceOf<IOException>());
        first.Complete();
        using var file = TokenFile.Open(In("a.tokens"));
        Assert.That(file.TokenCount, Is.EqualTo(3));
    }

    [Test]
    public void WhatAKilledWriterLeftIsOverwritten()
    {
        Write("a.tokens.partial", new byte[100_000]);
        WriteTokens([1, 2, 3]);
        using var file = TokenFile.Open(In("a.tokens"));
        Assert.That(file.TokenCount, Is.EqualTo(3));
    }

    [Test]
    public void AFullDiskIsSaid()
    {
        if (!File.Exists("/dev/full"))
        {
            Assert.Ignore("Needs /dev/full.");
        }

        File.CreateSymbolicLink(In("a.tokens.partial"), "/dev/full");
        Assert.That(
            () =>
            {
                using var writer = new TokenFileWriter(In("a.tokens"), new SomeTokenizer(300));
                writer.Append(new int[100_000], 1);
            },
            Throws.InstanceOf<IOException>().With.Message.Contains("No space left"));
    }

    private void WriteTokens(int[] ids)
    {
        using var writer = new TokenFileWriter(In("a.tokens"), new SomeTokenizer(300));
        writer.BeginDocument();
        writer.Append(ids, ids.Length);
        writer.Complete();
    }
}
