using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ingot.Checkpoints;
using Ingot.Models;
using Ingot.Tests.Tokenizers;
using Ingot.Tokenizers.Files;
using Ingot.Tokenizers.Models;
using NUnit.Framework;

namespace Ingot.Tests.Fuzzing;

/// <summary>
/// The parsers of what comes from strangers under a fuzzer: safetensors' header, the index of shards, config.json,
/// SentencePiece models. A few seconds by default; INGOT_FUZZ_EXECUTIONS and INGOT_FUZZ_SEED make it as long, and as different, as wanted.
/// </summary>
internal sealed class ParserFuzzTests
{
    private static readonly string[] Dtypes =
        ["BOOL", "F4", "F6_E2M3", "U8", "I8", "F8_E4M3", "I16", "F16", "BF16", "F32", "F64", "I64", "U64"];

    private static readonly string[] PieceTexts = ["▁", "a", "b", "ab", "▁a", "▁ab", "é", "▁a▁b"];

    private static readonly string[] Presets = [.. Ingot.Models.Presets.Names];

    [Test]
    public void SafetensorsHeader() => Fuzz(ParseHeader, GenerateHeader, 100_000,
        [.. Dtypes, "dtype", "shape", "data_offsets", "__metadata__", "format", "pt", "a", "b", "F12", ""]);

    [Test]
    public void IndexOfShards() => Fuzz(
        text => ModelWeights.ParseIndex(text, "model.safetensors.index.json"),
        random =>
        {
            var map = new JsonObject();
            for (var i = random.Next(6); i >= 0; i--)
                map[$"w{i}"] = $"model-{random.Next(3)}.safetensors";
            return Utf8(new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = random.Next(1000) }, ["weight_map"] = map });
        },
        30_000,
        "weight_map", "metadata", "w0", "w1", "model-0.safetensors", "/etc/passwd", "a\\\\b");

    [Test]
    public void Config() => Fuzz(
        text =>
        {
            var model = ModelFiles.ParseConfig(text, "config.json");
            // What was taken is written so that it is taken again, and is the same then.
            var written = ModelFiles.ConfigText(model);
            Assert.That(ModelFiles.ConfigText(ModelFiles.ParseConfig(Encoding.UTF8.GetBytes(written), "config.json")), Is.EqualTo(written));
            if (model.Layers <= 4)
                model.DeclareParameters();
        },
        random =>
        {
            var json = Ingot.Models.Presets.Find(random.Of(Presets))!.ToJson();
            foreach (var key in new[] { "n_layer", "num_hidden_layers" })
            {
                if (json.ContainsKey(key) && random.Next(2) == 0)
                    json[key] = 1 + random.Next(3);
            }

            if (json["rope_parameters"] is { } rope && random.Next(2) == 0)
            {
                rope["rope_type"] = random.Of(["linear", "llama3", "yarn"]);
                json.Remove("rope_scaling");
                (rope["factor"], rope["original_max_position_embeddings"]) = (2.0, 64);
                if (rope["rope_type"]!.GetValue<string>() == "llama3")
                    (rope["low_freq_factor"], rope["high_freq_factor"]) = (1.0, 4.0);
            }

            return Utf8(json);
        },
        5_000,
        "gpt2", "llama", "qwen2", "qwen3", "model_type", "rope_scaling", "rope_parameters", "type", "rope_type", "linear", "llama3", "yarn",
        "factor", "eos_token_id", "layer_types", "hidden_act", "gelu", "torch_dtype", "quantization_config");

    [Test]
    public void SentencePieceModel() => Fuzz(
        bytes =>
        {
            // What is taken also encodes.
            var model = Ingot.Tokenizers.Files.SentencePieceModel.Parse(bytes);
            try
            {
                var parts = SentencePieceFile.Parts(model, Vocabulary.Of([.. model.Pieces.Select(piece => piece.Text)]));
                TokenizerFolder.Make(parts).Tokenize("ab  ba \n▁é");
            }
            catch (FormatException e)
            {
                throw new InvalidDataException(e.Message, e); // As reading a file does.
            }
        },
        random => new SentencePieceWriter
        {
            Pieces =
            [
                ("<unk>", 0, 2), ("<s>", 0, 3), ("</s>", 0, 3),
                .. PieceTexts.Where(_ => random.Next(4) > 0).Select(text => (text, -random.Next(9) / 2f, 1)),
                .. random.Next(2) > 0 ? [("<x>", 0f, 4)] : Array.Empty<(string, float, int)>(),
            ],
            ModelType = 1 + random.Next(2),
            AddDummyPrefix = random.Next(2) > 0,
            RemoveExtraSpaces = random.Next(2) > 0,
        }.ToBytes(),
        20_000,
        "▁", "ab", "<unk>", "<0x41>", "\n", "\u0018\u0002");

    /// <summary>A fuzzer that finds nothing in a parser that is known to be broken would be no test.</summary>
    [Test]
    public void APlantedDefectIsFound()
    {
        var fuzzer = new Fuzzer(
            text =>
            {
                ParseHeader(text);
                // A reader with room for four dimensions, as many as the generator makes.
                using var json = JsonDocument.Parse(text.AsMemory(8));
                if (json.RootElement.EnumerateObject().Any(t => t.Name != "__metadata__" && t.Value.GetProperty("shape").GetArrayLength() > 4))
                    throw new TestDefectException();
            },
            GenerateHeader,
            1);
        Assert.That(fuzzer.Run(200_000).Finding?.Error, Is.InstanceOf<TestDefectException>());
    }

    private sealed class TestDefectException : Exception;

    [Test]
    public void TheSameSeedTriesTheSameTexts()
    {
        ulong Hash(ulong seed)
        {
            var hash = 14695981039346656037UL;
            new Fuzzer(
                text =>
                {
                    foreach (var b in text)
                        hash = (hash ^ b) * 1099511628211;
                    ParseHeader(text);
                },
                GenerateHeader,
                seed).Run(3000);
            return hash;
        }

        Assert.That(Hash(1), Is.EqualTo(Hash(1)));
        Assert.That(Hash(1), Is.Not.EqualTo(Hash(2)));
    }

    private static void Fuzz(Action<byte[]> parse, Func<FuzzRandom, byte[]> generate, long executions, params string[] words)
    {
        if (Environment.GetEnvironmentVariable("INGOT_FUZZ_EXECUTIONS") is { } more)
            executions = long.Parse(more, CultureInfo.InvariantCulture);
        var seed = ulong.Parse(Environment.GetEnvironmentVariable("INGOT_FUZZ_SEED") ?? "1", CultureInfo.InvariantCulture);
        var clock = Stopwatch.StartNew();
        var result = new Fuzzer(parse, generate, seed, words).Run(executions);
        TestContext.Out.WriteLine(
            $"{result.Executions:N0} executions in {clock.Elapsed.TotalSeconds:N0} s, {result.Accepted:N0} texts taken");
        Assert.That(result.Finding, Is.Null);
        // Both sides of the parser were reached.
        Assert.That(result.Accepted, Is.InRange(result.Executions / 50, result.Executions * 49 / 50));
    }

    /// <summary>A text is the length of the data, 8 bytes, and the header.</summary>
    private static void ParseHeader(byte[] text)
    {
        if (text.Length < 8)
            throw new InvalidDataException("short");
        var dataLength = BitConverter.ToInt64(text) & long.MaxValue;
        var header = Ingot.Checkpoints.SafetensorsHeader.Parse(text.AsSpan(8), dataLength, "file");
        // What was taken is what the format says, found by other means.
        using var json = JsonDocument.Parse(text.AsMemory(8), new JsonDocumentOptions { MaxDepth = 64 });
        var tensors = json.RootElement.EnumerateObject().Where(t => t.Name != "__metadata__").ToDictionary(t => t.Name, t => t.Value);
        Assert.That(header.Entries.Count, Is.EqualTo(tensors.Count));
        var end = 0L;
        foreach (var entry in header.Entries)
        {
            var shape = tensors[entry.Name].GetProperty("shape").EnumerateArray().Select(d => d.GetInt64()).ToArray();
            var bits = shape.Aggregate((Int128)entry.Dtype.Bits(), (a, b) => a * b);
            var fits = entry.Begin == end && entry.End >= entry.Begin && (Int128)(entry.End - entry.Begin) * 8 == bits;
            if (!fits || !shape.SequenceEqual(entry.Shape))
                throw new InvalidOperationException($"{entry} was taken");
            end = entry.End;
        }

        if (end != dataLength)
            throw new InvalidOperationException($"{end} of {dataLength} bytes were taken");
    }

    private static byte[] GenerateHeader(FuzzRandom random)
    {
        var json = new JsonObject();
        if (random.Next(2) == 0)
            json["__metadata__"] = new JsonObject { ["format"] = "pt" };
        var end = 0L;
        for (var i = random.Next(5); i > 0; i--)
        {
            var dtype = random.Of(Dtypes);
            // The first dimension makes whole bytes of types that are smaller.
            long[] shape = [.. Enumerable.Range(0, random.Next(4)).Select(d => (long)random.Next(5)), 8];
            var length = shape.Aggregate((long)Bits(dtype), (a, b) => a * b) / 8;
            json[$"t{i}"] = new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. shape.Select(d => (JsonNode)d)]),
                ["data_offsets"] = new JsonArray(end, end + length),
            };
            end += length;
        }

        return [.. BitConverter.GetBytes(end), .. Utf8(json)];
    }

    private static int Bits(string dtype) => dtype switch
    {
        "F4" => 4,
        "F6_E2M3" => 6,
        "BOOL" => 8,
        _ => int.Parse(dtype.TrimStart('B', 'F', 'I', 'U').Split('_')[0], CultureInfo.InvariantCulture),
    };

    private static byte[] Utf8(JsonObject json) => Encoding.UTF8.GetBytes(json.ToJsonString());
}
