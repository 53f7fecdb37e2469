using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Generation;
using Ingot.Graphs;
using Ingot.Models.T5;
using Ingot.Tests.Checkpoints;
using Ingot.Tests.Graphs;
using NUnit.Framework;

namespace Ingot.Tests.Models;

/// <summary>T5: buckets of distances, and folders as Hugging Face's transformers write them.</summary>
public sealed class T5Tests
{
    private const string Sizes = """
        "is_encoder_decoder": true, "vocab_size": 23, "d_model": 12, "d_kv": 5, "d_ff": 20, "num_layers": 2, "num_heads": 3, "n_positions": 512,
        "relative_attention_num_buckets": 8, "dropout_rate": 0.1, "layer_norm_epsilon": 1e-06, "initializer_factor": 1.0, "pad_token_id": 0,
        "eos_token_id": 1, "decoder_start_token_id": 0, "use_cache": true, "output_past": true, "task_specific_params": { "a": {} }
        """;

    [TestCase(32, 128)]
    [TestCase(32, 40)]
    [TestCase(8, 5)]
    [TestCase(4, 600)]
    public void BucketsAreThoseOfThePaper(int buckets, int most)
    {
        var c = new T5Config { Buckets = buckets, MaxDistance = most };
        for (var distance = -700; distance <= 700; distance++)
        {
            foreach (var decoder in new[] { false, true })
            {
                Assert.That(T5Model.Bucket(distance, !decoder, c), Is.EqualTo(ReferenceT5.Bucket(distance, decoder, buckets, most)),
                    $"{distance}, decoder: {decoder}");
            }
        }
    }

    [Test]
    public void FoldersOfVersion10([Values("F32", "BF16")] string dtype)
    {
        var folder = Folder(gated: false, tied: true, decoderLayers: 2);
        var values = folder.Values();
        // What such files have besides: copies of the token table, and a table that is not read.
        folder.Tensors.Add("encoder.embed_tokens.weight", folder.Tensors["shared.weight"]);
        folder.Tensors.Add("decoder.embed_tokens.weight", folder.Tensors["shared.weight"]);
        folder.Tensors.Add("lm_head.weight", folder.Tensors["shared.weight"]);
        folder.Add("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight", 8, 3);
        Check(folder, values, $$"""
            { "architectures": ["T5ForConditionalGeneration"], "model_type": "t5", {{Sizes}}, "feed_forward_proj": "relu" }
            """, dtype);
    }

    [TestCase("t5", ", \"tie_word_embeddings\": false")]
    [TestCase("mt5", "")]
    public void FoldersOfVersion11(string type, string tied)
    {
        var folder = Folder(gated: true, tied: false, decoderLayers: 1);
        Check(folder, folder.Values(), $$"""
            { "model_type": "{{type}}", {{Sizes}}, "num_decoder_layers": 1, "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new",
              "is_gated_act": true, "relative_attention_max_distance": 16{{tied}} }
            """, "F32");
    }

    private static void Check(HuggingFaceFolder folder, Dictionary<string, double[]> values, string config, string dtype)
    {
        using var temporary = new TemporaryDirectory();
        folder.Save(temporary.FullPath, config, dtype, shards: 2);
        var (model, store) = ModelFiles.LoadModel(temporary.FullPath, Device.Cpu, DType.F32, training: false);
        using (store)
        {
            Assert.That(store.Parameters.Select(p => p.Name), Is.EquivalentTo(values.Keys));
            int[] source = [3, 22, 0, 7, 7, 1, 19, 4, 11], tokens = [0, 6, 2, 2, 15, 9];
            var expected = new ReferenceT5((T5Config)model, values).Logits(source, tokens)[^1];
            using var decoder = new Decoder(model, store);
            var actual = decoder.Logits(tokens, source);
            var error = actual.Zip(expected, (a, e) => Math.Pow(a - e, 2)).Sum() / expected.Sum(e => e * e);
            Assert.That(Math.Sqrt(error), Is.LessThan(1e-5));

            // Saved and loaded again, nothing has changed by a bit.
            var again = temporary["again"];
            Directory.CreateDirectory(again);
            File.WriteAllText(Path.Combine(again, ModelFiles.ConfigName), ModelFiles.ConfigText(model));
            using (var file = File.Create(Path.Combine(again, ModelFiles.WeightsName)))
                SafetensorsWriter.Write(file, [.. ModelFiles.Weights(store)], SafetensorsWriter.PyTorchMetadata);
            var (reread, copy) = ModelFiles.LoadModel(again, Device.Cpu, DType.F32, training: false);
            using (copy)
            {
                Assert.That(ModelFiles.ConfigText(reread), Is.EqualTo(ModelFiles.ConfigText(model)));
                foreach (var p in store.Parameters)
                    Assert.That(copy.View(copy.Master, p.Name).ToArray(), Is.EqualTo(store.View(store.Master, p.Name).ToArray()), p.Name);
            }
        }
    }

    /// <summary>The tensors of T5ForConditionalGeneration with the sizes above.</summary>
    private static HuggingFaceFolder Folder(bool gated, bool tied, int decoderLayers)
    {
        const int Vocabulary = 23, Width = 12, Heads = 3, Inner = 15, Hidden = 20;
        var folder = new HuggingFaceFolder();
        folder.Add("shared.weight", Vocabulary, Width);
        foreach (var (stack, layers) in new[] { ("encoder", 2), ("decoder", decoderLayers) })
        {
            for (var i = 0; i < layers; i++)
            {
                string[] attentions = stack == "encoder" ? ["SelfAttention"] : ["SelfAttention", "EncDecAttention"];
                var name = $"{stack}.block.{i}.layer.";
                foreach (var (part, attention) in attentions.Index())
                {
                    foreach (var projection in new[] { "q", "k", "v" })
                        folder.Add($"{name}{part}.{attention}.{projection}.weight", Inner, Width);
                    folder.Add($"{name}{part}.{attention}.o.weight", Width, Inner);
                    folder.Add($"{name}{part}.layer_norm.weight", Width);
                }

                if (i == 0)
                    folder.Add($"{name}0.SelfAttention.relative_attention_bias.weight", 8, Heads);
                foreach (var projection in gated ? ["wi_0", "wi_1"] : new[] { "wi" })
                    folder.Add($"{name}{attentions.Length}.DenseReluDense.{projection}.weight", Hidden, Width);
                folder.Add($"{name}{attentions.Length}.DenseReluDense.wo.weight", Width, Hidden);
                folder.Add($"{name}{attentions.Length}.layer_norm.weight", Width);
            }

            folder.Add($"{stack}.final_layer_norm.weight", Width);
        }

        if (!tied)
            folder.Add("lm_head.weight", Vocabulary, Width);
        return folder;
    }
}
