using System.Text;
using Ingot.Reports;
using NUnit.Framework;

namespace Ingot.Tests.Reports;

/// <summary>Event files against bytes that TensorFlow itself wrote, and against a strict reader.</summary>
[TestFixture]
public sealed class TensorBoardWriterTests
{
    private TemporaryDirectory _directory = null!;

    [SetUp]
    public void MakeDirectory() => _directory = new TemporaryDirectory();

    [TearDown]
    public void DeleteDirectory() => _directory.Dispose();

    [Test]
    public void ChecksumsAreThoseOfTheFormat()
    {
        // RFC 3720, B.4, and a record of TensorFlow.
        Assert.That(EventFileReader.Crc("123456789"u8), Is.EqualTo(0xe3069283));
        Assert.That(EventFileReader.Crc(new byte[32]), Is.EqualTo(0x8a9136aa));
        Assert.That(TensorBoardWriter.MaskedCrc("\u001a\u0011CRC test, one two"u8), Is.EqualTo(0x5794d08a));
        for (var length = 0; length < 40; length++)
        {
            var data = Enumerable.Range(0, length).Select(i => (byte)(i * 37)).ToArray();
            Assert.That(TensorBoardWriter.MaskedCrc(data), Is.EqualTo(EventFileReader.Masked(data)));
        }
    }

    /// <summary>A file that TensorFlow wrote: its first event, and the scalar accuracy = 0.99 at step 77.</summary>
    [Test]
    public void WritesTheBytesThatTensorFlowWrites()
    {
        var clock = new SteppingClock(0x41d7d69938800000, 0x41d7d6993db705c4);
        string path;
        using (var writer = new TensorBoardWriter(_directory.FullPath, 0, clock))
        {
            path = writer.FilePath;
            writer.AddScalar("accuracy", 0.99f, 77);
        }

        var expected = Convert.FromHexString(
            "1800000000000000" + "a37f4b22" + "0900008038" + "99d6d741" + "1a0d" + Hex("brain.Event:2") + "124b36ab"
            + "3200000000000000" + "241956ec" + "09c405b73d99d6d741" + "104d" + "2a25" + "0a23" + "0a08" + Hex("accuracy")
            + "420a" + "0801" + "1200" + "2204a4707d3f" + "4a0b0a090a07" + Hex("scalars") + "a55b6433");
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(expected));
    }

    [Test]
    public void NamesItsFileAsTensorBoardExpects()
    {
        using var first = new TensorBoardWriter(_directory.FullPath);
        using var second = new TensorBoardWriter(_directory.FullPath);
        Assert.That(Path.GetFileName(first.FilePath), Does.Match(@"^events\.out\.tfevents\.\d{10}\..+\.\d+\.\d+$"));
        Assert.That(second.FilePath, Is.Not.EqualTo(first.FilePath));
    }

    [Test]
    public void ScalarsAndTextsAreReadBack()
    {
        string path;
        using (var writer = new TensorBoardWriter(_directory.FullPath))
        {
            path = writer.FilePath;
            writer.AddScalar("train/loss", 2.5f, 1);
            writer.AddScalar("train/loss", float.NaN, long.MaxValue);
            writer.AddText("samples", "Größe ✓\n" + new string('x', 300), 200);
        }

        var events = EventFileReader.Read(path);
        Assert.That(events, Has.Count.EqualTo(4));
        Assert.That(events[0].FileVersion, Is.EqualTo("brain.Event:2"));
        Assert.That(
            events[1] with { WallTime = 0 },
            Is.EqualTo(new EventFileReader.Event(0, 1, null, null, "train/loss", "scalars", 2.5f, null)));
        Assert.That(events[2].Scalar, Is.NaN);
        Assert.That(events[2].Step, Is.EqualTo(long.MaxValue));
        Assert.That(events[3].Plugin, Is.EqualTo("text"));
        Assert.That(events[3].Text, Does.StartWith("Größe ✓\nxx").And.Length.EqualTo(308));
        Assert.That(events.Select(e => e.WallTime), Is.Ordered);
        Assert.That(events.Select(e => e.WallTime), Is.All.InRange(1.7e9, 1e10));
    }

    [Test]
    public void AResumedRunSupersedesWhatCameAfterItsCheckpoint()
    {
        using var writer = new TensorBoardWriter(_directory.FullPath, lastStep: 1000);
        var start = EventFileReader.Read(writer.FilePath)[1];
        Assert.That(start.SessionStatus, Is.EqualTo(1));
        Assert.That(start.Step, Is.EqualTo(1001));
    }

    private static string Hex(string text) => Convert.ToHexString(Encoding.ASCII.GetBytes(text));

    /// <summary>A clock that shows given times, one a look, to the precision of its ticks.</summary>
    private sealed class SteppingClock(params long[] bits) : TimeProvider
    {
        private int _looks = -1;

        public override DateTimeOffset GetUtcNow()
        {
            var seconds = BitConverter.Int64BitsToDouble(bits[Math.Clamp(_looks++, 0, bits.Length - 1)]);
            return DateTimeOffset.UnixEpoch + TimeSpan.FromTicks((long)Math.Round(seconds * TimeSpan.TicksPerSecond));
        }
    }
}
