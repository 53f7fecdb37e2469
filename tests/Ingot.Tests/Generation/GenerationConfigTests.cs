using System.Text.Json.Nodes;
using Ingot.Generation;
using NUnit.Framework;

namespace Ingot.Tests.Generation;

/// <summary>generation_config.json, read and written.</summary>
public sealed class GenerationConfigTests : FolderTests
{
    [Test]
    public void WhatAFileLeavesOpenIsAsInTransformers()
    {
        // GPT-2's own file, in the form of transformers 4.
        var config = Read("""{"_from_model_config": true, "bos_token_id": 50256, "eos_token_id": 50256, "transformers_version": "4.26.0"}""");
        Assert.That(config.Options, Is.EqualTo(new GenerationOptions
        {
            DoSample = false,
            Temperature = 1,
            TopK = 50,
            EosTokenIds = config.Options.EosTokenIds,
            BadWordsIds = config.Options.BadWordsIds,
            SequenceBias = config.Options.SequenceBias,
            Stop = config.Options.Stop,
            SuppressTokens = config.Options.SuppressTokens,
            BeginSuppressTokens = config.Options.BeginSuppressTokens,
            ForcedEosTokenIds = config.Options.ForcedEosTokenIds,
        }));
        Assert.That(config.Options.EosTokenIds, Is.EqualTo(new[] { 50256 }));
        Assert.That(config.BosTokenId, Is.EqualTo(50256));
        Assert.That(config.Warnings, Is.Empty);
    }

    [Test]
    public void EveryKeyIsReadAndComesBackAsItWas()
    {
        // All that is supported, each at another value than its default.
        var json = (JsonObject)JsonNode.Parse("""
            {
              "do_sample": true, "max_new_tokens": 7, "min_length": 2, "min_new_tokens": 3, "temperature": 0.6, "top_k": 20, "top_p": 0.9,
              "min_p": 0.05, "typical_p": 0.8, "epsilon_cutoff": 0.0003, "eta_cutoff": 0.0006, "repetition_penalty": 1.1,
              "presence_penalty": 0.5, "frequency_penalty": 0.25, "no_repeat_ngram_size": 4, "bad_words_ids": [[1], [2, 3]],
              "sequence_bias": [[[4, 5], -1.5]], "suppress_tokens": [6], "begin_suppress_tokens": [7, 8], "forced_bos_token_id": 9,
              "forced_eos_token_id": [10], "num_beams": 4, "length_penalty": 0.5, "early_stopping": "never", "renormalize_logits": true,
              "num_return_sequences": 2, "stop_strings": ["\n\n", "User:"], "bos_token_id": 1, "eos_token_id": [2, 11], "pad_token_id": 0
            }
            """)!;
        var config = GenerationConfig.Read(json);
        Assert.That(config.Options.SequenceBias.Single(), Is.EqualTo(new SequenceBias(config.Options.SequenceBias[0].Ids, -1.5)));
        Assert.That(config.Options.EarlyStopping, Is.EqualTo(EarlyStopping.Never));
        Assert.That(config.Warnings, Has.Count.EqualTo(1).And.Some.StartsWith("do_sample with num_beams"));
        var written = config.ToJson();
        Assert.That(written.Select(pair => pair.Key), Is.EquivalentTo(json.Select(pair => pair.Key)));
        foreach (var (key, value) in json)
            Assert.That(written[key]!.ToJsonString(), Is.EqualTo(value!.ToJsonString()), key);
    }

    [Test]
    public void NullsAreAsGoodAsAbsent()
    {
        var config = Read("""{"top_k": null, "eos_token_id": null, "guidance_scale": null, "max_length": 20, "num_beam_groups": 1, "foo": null}""");
        Assert.That((config.Options.TopK, config.Options.EosTokenIds, config.Options.MaxLength, config.Warnings.Count),
            Is.EqualTo((50, (IReadOnlyList<int>?)null, (int?)null, 0)));
    }

    [TestCase("""{"num_beam_groups": 2}""", "num_beam_groups is 2, which is not supported")]
    [TestCase("""{"guidance_scale": 1.5}""", "guidance_scale is 1.5, which is not supported")]
    [TestCase("""{"constraints": [1]}""", "constraints is [1], which is not supported")]
    [TestCase("""{"temprature": 0.5}""", "temprature is not known")]
    public void WhatIsNotSupportedIsNamed(string json, string warning) =>
        Assert.That(Read(json).Warnings.Single(), Does.StartWith(warning));

    [TestCase("""{"top_k": "many"}""", "top_k is \"many\", but must be a whole number")]
    [TestCase("""{"temperature": []}""", "temperature is [], but must be a number")]
    [TestCase("""{"do_sample": 1}""", "do_sample is 1, but must be true or false")]
    [TestCase("""{"eos_token_id": [1, "x"]}""", "eos_token_id is \"x\", but must be a whole number")]
    [TestCase("""{"bad_words_ids": [1]}""", "bad_words_ids is 1, but must be lists of token ids")]
    [TestCase("""{"sequence_bias": [[1]]}""", "sequence_bias is [1], but must be [[ids], bias]")]
    [TestCase("""{"early_stopping": "soon"}""", "early_stopping is \"soon\", but must be true, false or \"never\"")]
    [TestCase("""{"stop_strings": [1]}""", "stop_strings is 1, but must be a text")]
    [TestCase("""{"top_p": 2}""", "topP is 2; it must be above 0")]
    [TestCase("[1]", "is not a JSON object")]
    [TestCase("{", "")]
    public void WhatIsWrongIsNamed(string json, string problem) => Assert.That(
        () => Read(json),
        Throws.InstanceOf<InvalidDataException>().With.Message.Contains("generation_config.json").And.Message.Contains(problem));

    [Test]
    public void ModelsTrainedHereSayWhatIngotsDefaultsAre()
    {
        var config = Read(GenerationConfig.Text(3));
        var defaults = new GenerationOptions();
        Assert.That((config.Options.DoSample, config.Options.Temperature, config.Options.TopK, config.Options.MaxNewTokens),
            Is.EqualTo((true, defaults.Temperature, defaults.TopK, defaults.MaxNewTokens)));
        Assert.That((config.Options.EosTokenIds!.Single(), config.BosTokenId), Is.EqualTo((3, 3)));
        Assert.That(GenerationConfig.Load(In("nothing")), Is.Null);
    }

    private GenerationConfig Read(string json)
    {
        Write("generation_config.json", json);
        return GenerationConfig.Load(Folder)!;
    }
}
